"""The C functions this package calls, with prototypes of our own over plain addresses.

Own prototypes leave those of `wasmtime._bindings` alone, cost a tenth of them per call, and correct one: the shipped
`wasmtime_context_epoch_deadline_async_yield_and_update` returns nothing where its header promises an error.

Source: wasmtime's C API headers, `wasmtime/async.h` and `wasmtime/component/*.h`.
"""

import ctypes
import functools
from collections.abc import Callable
from ctypes import c_bool, c_char_p, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any, Final

from wasmtime import _bindings, _ffi

VAL_BYTES: Final = 32
"""sizeof(wasmtime_component_val_t): kind (u8) at 0, union at 8."""

ENTRY_BYTES: Final = 48
"""sizeof(wasmtime_component_valrecord_entry_t): name (size, pointer), then the value at 16."""

FUNC_BYTES: Final = ctypes.sizeof(_bindings.wasmtime_component_func)
INSTANCE_BYTES: Final = ctypes.sizeof(_bindings.wasmtime_component_instance)

if ctypes.sizeof(_bindings.wasmtime_component_val) != VAL_BYTES or (
    ctypes.sizeof(_bindings.wasmtime_component_valrecord_entry) != ENTRY_BYTES
):
    msg = "this wasmtime lays out component values in another way"
    raise ImportError(msg)


def _function(name: str, result: Any, *arguments: Any, quick: bool = True) -> Callable[..., Any]:
    """Bind a C function; a quick one neither runs guest code nor calls Python, and keeps the GIL."""
    kind, where = ctypes.PYFUNCTYPE if quick else ctypes.CFUNCTYPE, (name, _ffi.dll)
    function: Any = kind(result, *arguments)(where)
    function.unconverted = kind(result)(where)
    return function  # type: ignore[no-any-return]


def bound(function: Callable[..., Any], *arguments: int) -> Callable[[], Any]:
    """A function with its arguments, converted here and now: half of what many a call costs."""
    of: Any = function
    converted = [kind.from_param(argument) for kind, argument in zip(of.argtypes, arguments, strict=True)]
    return functools.partial(of.unconverted, *converted)


store_new = _function("wasmtime_store_new", c_void_p, c_void_p, c_void_p, c_void_p)
store_delete = _function("wasmtime_store_delete", None, c_void_p, quick=False)
store_context = _function("wasmtime_store_context", c_void_p, c_void_p)
store_limiter = _function("wasmtime_store_limiter", None, c_void_p, c_int64, c_int64, c_int64, c_int64, c_int64)
context_get_data = _function("wasmtime_context_get_data", c_void_p, c_void_p)
context_set_fuel = _function("wasmtime_context_set_fuel", c_void_p, c_void_p, c_uint64)
context_get_fuel = _function("wasmtime_context_get_fuel", c_void_p, c_void_p, c_void_p)
context_set_epoch_deadline = _function("wasmtime_context_set_epoch_deadline", None, c_void_p, c_uint64)
context_set_wasi = _function("wasmtime_context_set_wasi", c_void_p, c_void_p, c_void_p)
context_yield_at_epoch = _function("wasmtime_context_epoch_deadline_async_yield_and_update", None, c_void_p, c_uint64)
increment_epoch = _function("wasmtime_engine_increment_epoch", None, c_void_p)

component_new = _function("wasmtime_component_new", c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, quick=False)
component_serialize = _function("wasmtime_component_serialize", c_void_p, c_void_p, c_void_p, quick=False)
component_deserialize_file = _function(
    "wasmtime_component_deserialize_file", c_void_p, c_void_p, c_char_p, c_void_p, quick=False
)
get_export_index = _function("wasmtime_component_get_export_index", c_void_p, c_void_p, c_void_p, c_char_p, c_size_t)
export_index_delete = _function("wasmtime_component_export_index_delete", None, c_void_p)
instance_get_func = _function("wasmtime_component_instance_get_func", c_bool, c_void_p, c_void_p, c_void_p, c_void_p)

func_call_async = _function(
    "wasmtime_component_func_call_async",
    c_void_p,
    *(c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p),
)
instantiate_async = _function(
    "wasmtime_component_linker_instantiate_async", c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p
)
future_poll = _function("wasmtime_call_future_poll", c_bool, c_void_p, quick=False)
future_delete = _function("wasmtime_call_future_delete", None, c_void_p, quick=False)

val_clone = _function("wasmtime_component_val_clone", None, c_void_p, c_void_p, quick=False)
val_delete = _function("wasmtime_component_val_delete", None, c_void_p, quick=False)

resource_any_clone = _function("wasmtime_component_resource_any_clone", c_void_p, c_void_p)
resource_any_delete = _function("wasmtime_component_resource_any_delete", None, c_void_p)
resource_any_to_host = _function("wasmtime_component_resource_any_to_host", c_void_p, c_void_p, c_void_p, c_void_p)
resource_host_new = _function("wasmtime_component_resource_host_new", c_void_p, c_bool, c_uint32, c_uint32)
resource_host_to_any = _function("wasmtime_component_resource_host_to_any", c_void_p, c_void_p, c_void_p, c_void_p)
resource_host_rep = _function("wasmtime_component_resource_host_rep", c_uint32, c_void_p)
resource_host_delete = _function("wasmtime_component_resource_host_delete", None, c_void_p)
resource_type_new_host = _function("wasmtime_component_resource_type_new_host", c_void_p, c_uint32)
resource_type_delete = _function("wasmtime_component_resource_type_delete", None, c_void_p)

DESTRUCTOR: Final = ctypes.CFUNCTYPE(c_size_t, c_void_p, c_void_p, c_uint32)
"""env, context, the number that the host gave the object; 0 for no error."""

linker_add_resource = _function(
    "wasmtime_component_linker_instance_add_resource",
    c_void_p,
    *(c_void_p, c_char_p, c_size_t, c_void_p, DESTRUCTOR, c_void_p, c_void_p),
)
linker_allow_shadowing = _function("wasmtime_component_linker_allow_shadowing", None, c_void_p, c_bool)

core_call = _function("wasmtime_func_call_unchecked", *(c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p))
core_call_unlocked = _function(
    "wasmtime_func_call_unchecked", *(c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p), quick=False
)
"""A function of a core module, in a Store that does not yield: values are 16 bytes each; a trap, or nothing."""

linker_root = _function("wasmtime_component_linker_root", c_void_p, c_void_p)
linker_add_instance = _function(
    "wasmtime_component_linker_instance_add_instance", c_void_p, c_void_p, c_char_p, c_size_t, c_void_p
)
linker_instance_delete = _function("wasmtime_component_linker_instance_delete", None, c_void_p)

HOST_CALLBACK: Final = ctypes.CFUNCTYPE(
    None, *(c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p, c_void_p)
)
"""env, context, function type, arguments, their number, results, their number, error slot, continuation."""

CONTINUE_CALLBACK: Final = ctypes.CFUNCTYPE(c_bool, c_void_p)
"""Polled while a host function is under way: True when its results are written."""

linker_add_func_async = _function(
    "wasmtime_component_linker_instance_add_func_async",
    c_void_p,
    *(c_void_p, c_char_p, c_size_t, HOST_CALLBACK, c_void_p, c_void_p),
)

bytes_at: Final[Callable[[int, int], bytes]] = ctypes.PYFUNCTYPE(ctypes.py_object, c_void_p, ctypes.c_ssize_t)(
    ("PyBytes_FromStringAndSize", ctypes.pythonapi)
)
"""The bytes at an address; what `ctypes.string_at` does, in a third less time."""

text_at: Final[Callable[[int, int, None], str]] = ctypes.PYFUNCTYPE(
    ctypes.py_object, c_void_p, ctypes.c_ssize_t, c_char_p
)(("PyUnicode_DecodeUTF8", ctypes.pythonapi))
"""The text at an address, of that many bytes; None: it has to be UTF-8."""

_error_new = _function("wasmtime_error_new", c_void_p, c_char_p)
_error_delete = _function("wasmtime_error_delete", None, c_void_p)
_error_message = _function("wasmtime_error_message", None, c_void_p, c_void_p)
byte_vec_delete = _function("wasm_byte_vec_delete", None, c_void_p)


def address(pointer: Any) -> int:
    """The address that a ctypes pointer holds; 0 for NULL."""
    return ctypes.addressof(pointer.contents) if pointer else 0


def function_address(function: Any) -> int:
    """Where C calls a callback."""
    return ctypes.cast(function, c_void_p).value or 0


def error_new(text: str) -> int:
    """Make an error for wasmtime to take over."""
    return int(_error_new(text.encode("utf-8", "replace").replace(b"\0", b"?")))


def take_error(error: int | None) -> str | None:
    """Read and delete an error of wasmtime's; None when there is none."""
    if not error:
        return None
    vec = _bindings.wasm_byte_vec_t()
    _error_message(error, ctypes.addressof(vec))
    text = ctypes.string_at(vec.data, vec.size).decode("utf-8", "replace")
    byte_vec_delete(ctypes.addressof(vec))
    _error_delete(error)
    return text
