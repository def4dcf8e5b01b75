"""What the runtime takes for granted of wasmtime: engine, components, layouts.

A new wasmtime shows here, and in the files beside it, what has changed.
"""

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest
from wasmtime import Engine, WasiConfig, _bindings, _ffi, wat2wasm
from wasmtime.component import Component

from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.codec import codec_for
from airssys_wasm.runtime.abi.component import WasmtimeRefused, compile_component, load_component, save_component
from airssys_wasm.runtime.abi.reader import imports_of
from airssys_wasm.runtime.abi.types import BYTES, STRING, FuncType, OptionType, Scalar, TupleType, WitType, record
from airssys_wasm.runtime.abi.values import Keep
from tests.runtime.bare import BareEngine, BareStore
from tests.runtime.guests import binary
from tests.runtime.toys import NUMBERS, echo_component

ASYNC_SYMBOLS = [
    "wasmtime_component_func_call_async",
    "wasmtime_component_linker_instantiate_async",
    "wasmtime_component_linker_instance_add_func_async",
    "wasmtime_call_future_poll",
    "wasmtime_call_future_delete",
    "wasmtime_context_epoch_deadline_async_yield_and_update",
    "wasmtime_config_concurrency_support_set",
]
ASYNC_COMPONENT = '(component (import "f" (func (param "later" (future u8)))))'
ABORTS = """
import sys
from airssys_wasm.runtime.abi.types import FuncType, Scalar
from airssys_wasm.runtime.abi.values import WORDS, address_of
from tests.runtime.bare import BareEngine, BareStore
from tests.runtime.toys import echo_component, component
kind, data = sys.argv[1], b"\\xff\\xfe"
image = WORDS.pack(12, len(data), address_of(data), 0) if kind == "string" else WORDS.pack(11, 0xD800, 0, 0)
take = component({"take": (f'(param "value" {kind})', "(param i32 i32)" if kind == "string" else "(param i32)")})
store = BareStore.ready(BareEngine(), take)
print("ready", flush=True)
store.begin("take", image, results=0, keep=data).finish()
print("survived", flush=True)
"""


@pytest.mark.parametrize("name", ASYNC_SYMBOLS)
def test_the_asynchronous_c_api_is_in_the_shipped_library(name: str) -> None:
    """Guest calls stand on these; wasmtime-py offers no Python API over them."""
    assert hasattr(_ffi.dll, name)


def test_component_values_have_the_layout_that_the_codecs_write() -> None:
    """Kind at 0 and union at 8 of 32 bytes; a record's entry has its value at 16 of 48."""
    value, entry = _bindings.wasmtime_component_val, _bindings.wasmtime_component_valrecord_entry
    assert (32, 0, 8) == (ctypes.sizeof(value), value.kind.offset, value.of.offset)
    assert (48, 16) == (ctypes.sizeof(entry), entry.val.offset)
    assert (capi.VAL_BYTES, capi.ENTRY_BYTES) == (ctypes.sizeof(value), ctypes.sizeof(entry))


def test_values_cross_as_the_codecs_write_them(bare: BareEngine) -> None:
    """A record with text, bytes and an option, to a guest and back."""
    of = record(name=STRING, data=BYTES, some=OptionType(Scalar("u64")), none=OptionType(Scalar("char")))
    kind = FuncType((("value", _padded(of)),), _padded(of))
    store = BareStore.ready(bare, echo_component(of))
    value = (("näme", bytes(range(256)), 2**64 - 1, None), (0,) * 16)
    assert value == store.call("echo", kind, value)
    store.close()


def test_without_concurrency_async_components_are_refused() -> None:
    """Nothing here needs component-model async, and calls cost a third less without it."""
    with pytest.raises(WasmtimeRefused, match="component model async"):
        BareEngine().compile(bytes(wat2wasm(ASYNC_COMPONENT)))


def test_wasmtime_takes_text_for_a_component(bare: BareEngine) -> None:
    """Hence the header check before compiling."""
    assert isinstance(compile_component(bare.engine, b"(component)"), Component)


def test_a_core_module_gives_an_error_of_compilation(bare: BareEngine) -> None:
    """It would be a late and unclear one; the header check names it."""
    with pytest.raises(WasmtimeRefused):
        compile_component(bare.engine, bytes(wat2wasm("(module)")))


def test_interfaces_of_types_alone_need_no_definition(bare: BareEngine) -> None:
    """The echo guest imports `types` and `errors`; the linker is empty."""
    store = BareStore.ready(bare, binary("echo"))
    names = list(imports_of(store.component, bare.engine))
    assert ["airssys:core/types@1.0.0", "airssys:core/errors@1.0.0"] == names
    store.close()


def test_a_missing_import_is_refused_at_instantiation_by_name(bare: BareEngine) -> None:
    """A linker without a definition denies by default."""
    store = BareStore(bare, bare.compile(binary("callback")))
    store.yield_every(1)
    assert "airssys:core/host-messaging" in (store.instantiate().finish() or "")
    store.close()


def test_host_functions_are_linked_without_a_look_at_their_types(bare: BareEngine) -> None:
    """Nothing but our own check stands between a guest's other types and our lifting of its arguments."""
    prelude = '(import "test:host/calls" (instance (export "wait" (func (param "n" string)))))'
    bare.define("test:host/calls", {"wait": lambda *_: None})
    store = BareStore(bare, bare.compile(bytes(wat2wasm(f"(component {prelude})"))))
    store.yield_every(1)
    assert store.instantiate().finish() is None
    store.close()


def test_a_later_minor_version_of_an_interface_is_linked_to_ours(bare: BareEngine) -> None:
    """The type check therefore looks at every 1.x.y, not at 1.0.0 alone."""
    bare.define("test:host/calls@1.0.0", {"wait": lambda *_: None})
    for version, linked in (("1.0.7", True), ("1.9.0", True), ("2.0.0", False), ("0.9.0", False)):
        prelude = f'(import "test:host/calls@{version}" (instance (export "wait" (func))))'
        store = BareStore(bare, bare.compile(bytes(wat2wasm(f"(component {prelude})"))))
        store.yield_every(1)
        assert linked is (store.instantiate().finish() is None), version
        store.close()


def test_a_compiled_component_goes_through_a_file(bare: BareEngine, tmp_path: Path) -> None:
    """Serialized, mapped again, and run; more bytes at the end of the file do no harm."""
    path = tmp_path / "numbers.cwasm"
    with path.open("wb") as file:
        save_component(bare.compile(NUMBERS), file.fileno())
        file.write(b"a digest")
    store = BareStore(bare, load_component(bare.engine, str(path)))
    store.yield_every(1000)
    assert store.instantiate().finish() is None
    assert 7 == store.call("same", FuncType((("n", Scalar("u32")),), Scalar("u32")), 7)
    store.close()


def test_a_file_of_another_engine_setting_is_refused(bare: BareEngine, tmp_path: Path) -> None:
    """Metered code is other code."""
    path = tmp_path / "numbers.cwasm"
    with path.open("wb") as file:
        save_component(bare.compile(NUMBERS), file.fileno())
    with pytest.raises(WasmtimeRefused):
        load_component(BareEngine(metered=True).engine, str(path))


def test_export_indexes_are_found_before_there_is_an_instance(bare: BareEngine) -> None:
    """And there is none for a name that is not exported."""
    component = bare.compile(NUMBERS)
    pointer = capi.address(component.ptr())
    index = capi.get_export_index(pointer, None, b"same", 4)
    assert index
    capi.export_index_delete(index)
    assert not capi.get_export_index(pointer, None, b"other", 5)


def test_a_store_keeps_the_number_it_was_made_with(bare: BareEngine) -> None:
    """Host functions find the caller's state by it."""
    store = BareStore(bare, bare.compile(NUMBERS), data=12345)
    assert 12345 == capi.context_get_data(store.context)
    store.close()


def test_wasi_output_can_go_to_python() -> None:
    """The two attributes that the WASI set-up uses."""
    assert {"stdout_custom", "stderr_custom", "_consume"} <= set(dir(WasiConfig))


def test_wasmtime_py_wraps_a_pointer_that_we_compiled() -> None:
    """Components are made without a copy of their bytes."""
    assert isinstance(compile_component(Engine(), b"(component)"), Component)


@pytest.mark.parametrize("kind", ["string", "char"])
def test_a_bad_value_aborts_the_process_so_the_codecs_check_first(kind: str) -> None:
    """Text that is not UTF-8 and surrogates: in a process of their own."""
    ran = subprocess.run([sys.executable, "-c", ABORTS, kind], capture_output=True, text=True, check=False, timeout=50)
    assert ("ready\n", True) == (ran.stdout, ran.returncode < 0)


def test_codecs_refuse_what_would_abort_the_process() -> None:
    """The same two values."""
    for kind, value in (("string", "\ud800"), ("char", "\ud800")):
        with pytest.raises(ValueError, match="Unicode scalar value"):
            codec_for(Scalar(kind)).lower(value, Keep())


def _padded(of: WitType) -> TupleType:
    return TupleType((of, TupleType((Scalar("u8"),) * 16)))
