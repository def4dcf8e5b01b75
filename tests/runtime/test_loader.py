"""Every bad component is a typed error that names it, and leaves nothing behind."""

import hashlib
import os
from pathlib import Path

import pytest

from airssys_wasm.core.errors import ConfigError, ExportNotFound, InstantiationFailed, InvalidComponent
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.contract import EXPORTS
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.loader import ComponentDirectory
from tests.guests import wat
from tests.runtime.guests import GUEST, binary

ECHO = binary("echo")
SERVICES = "airssys:core/host-services"
NUMBERS_FOR_POINTERS = '(func (param "level" u64) (param "message" u64) (param "context" u64))'


def importing(interface: str, function: str, kind: str) -> bytes:
    """A component that fits, with one import."""
    return wat.lifecycle(prelude=f'(import "{interface}" (instance (export "{function}" {kind})))')


BAD_BYTES = {
    "empty": (b"", "is empty"),
    "text": (b"hello, this is no component", "is no WebAssembly"),
    "wat": (b"  (component)", "is WebAssembly text"),
    "magic": (b"\0asm", "of another binary version"),
    "version": (b"\0asm\x0e\0\x01\0" + ECHO[8:], "of another binary version"),
    "core module": (wat.CORE_MODULE, "is a core module"),
    "core header": (b"\0asm\x01\0\0\0", "is a core module"),
    "header": (ECHO[:8] + b"\xff" * 100, "does not compile"),
    "trailing": (ECHO + b"\x01\x02\x03", "does not compile"),
}


@pytest.mark.parametrize(("data", "problem"), BAD_BYTES.values(), ids=BAD_BYTES)
async def test_what_is_no_component_is_refused_with_the_reason(
    engine: WasmtimeEngine, tmp_path: Path, data: bytes, problem: str
) -> None:
    """As bytes and as a file, whose name is then in the text."""
    with pytest.raises(InvalidComponent, match=problem):
        await engine.compile(data, Limits())
    path = tmp_path / "bad.wasm"
    path.write_bytes(data)
    with pytest.raises(InvalidComponent, match=problem) as caught:
        await engine.compile(path, Limits())
    assert str(path) == caught.value.source
    assert str(path) in str(caught.value)


async def test_a_component_cut_off_anywhere_is_refused(engine: WasmtimeEngine) -> None:
    """At every 97th byte, and at the ends of its sections; valid only where it ends before its exports."""
    for end in range(0, len(ECHO), 97):
        with pytest.raises((InvalidComponent, ExportNotFound)):
            await engine.compile(ECHO[:end], Limits())


@pytest.mark.parametrize("name", EXPORTS)
async def test_a_missing_export_is_named(engine: WasmtimeEngine, name: str) -> None:
    """Each of the six has to be there."""
    with pytest.raises(ExportNotFound, match="is missing") as caught:
        await engine.compile(wat.missing_export(name), Limits())
    assert f"airssys:core/component-lifecycle@1.0.0#{name}" == caught.value.export


@pytest.mark.parametrize("name", EXPORTS)
async def test_an_export_of_another_type_is_named(engine: WasmtimeEngine, name: str) -> None:
    """With the type that it has and the one it should have."""
    with pytest.raises(ExportNotFound, match="has type func") as caught:
        await engine.compile(wat.wrong_type(name), Limits())
    assert caught.value.export.endswith(name)


@pytest.mark.parametrize(
    "data", [wat.empty_component(), wat.lifecycle(version="2.0.0")], ids=["empty", "other version"]
)
async def test_a_component_without_the_interface_lacks_its_first_export(engine: WasmtimeEngine, data: bytes) -> None:
    """Another version of the package is another interface."""
    with pytest.raises(ExportNotFound, match="initialize is missing"):
        await engine.compile(data, Limits())


async def test_an_import_that_nobody_provides_is_named_at_the_start(engine: WasmtimeEngine) -> None:
    """The linker refuses it."""
    compiled = await engine.compile(wat.unknown_import("other:pkg/thing"), Limits())
    with pytest.raises(InstantiationFailed, match="other:pkg/thing"):
        await engine.start(compiled, HostState(GUEST))


async def test_a_function_that_the_interface_does_not_have_is_named_at_the_start(engine: WasmtimeEngine) -> None:
    """In an interface that is provided."""
    compiled = await engine.compile(importing(f"{SERVICES}@1.0.0", "teleport", "(func)"), Limits())
    with pytest.raises(InstantiationFailed, match="teleport"):
        await engine.start(compiled, HostState(GUEST))


@pytest.mark.parametrize("version", ["1.0.0", "1.0.9", "1.7.0"])
async def test_an_import_of_another_type_is_refused_before_it_is_linked(engine: WasmtimeEngine, version: str) -> None:
    """A guest could otherwise have its numbers taken for pointers: wasmtime does not compare these types."""
    data = importing(f"{SERVICES}@{version}", "log", NUMBERS_FOR_POINTERS)
    with pytest.raises(InvalidComponent, match=r"#log has type func\(level: u64"):
        await engine.compile(data, Limits())


async def test_an_import_of_a_later_patch_version_and_the_same_type_is_linked(engine: WasmtimeEngine) -> None:
    """Semantic versioning, as wasmtime's linker understands it."""
    compiled = await engine.compile(
        importing(f"{SERVICES}@1.0.3", "current-time-millis", "(func (result u64))"), Limits()
    )
    guest = await engine.start(compiled, HostState(GUEST))
    await guest.aclose()


async def test_a_component_over_its_size_limit_is_refused(engine: WasmtimeEngine, tmp_path: Path) -> None:
    """Before it is compiled, and from a file before it is read whole."""
    path = tmp_path / "echo.wasm"
    path.write_bytes(ECHO)
    for source in (ECHO, path):
        with pytest.raises(InvalidComponent, match="max_component_bytes"):
            await engine.compile(source, Limits(max_component_bytes=len(ECHO) - 1))
        await engine.compile(source, Limits(max_component_bytes=len(ECHO)))


async def test_a_digest_that_differs_is_refused(engine: WasmtimeEngine) -> None:
    """Upper or lower case is the same digest."""
    digest = hashlib.sha256(ECHO).hexdigest()
    compiled = await engine.compile(ECHO, Limits(), digest.upper())
    assert digest == compiled.digest
    with pytest.raises(InvalidComponent, match=digest):
        await engine.compile(ECHO, Limits(), "0" * 64)


async def test_an_endless_file_is_not_read_to_its_end(engine: WasmtimeEngine, tmp_path: Path) -> None:
    """64 GiB of nothing: its size is enough to know."""
    path = tmp_path / "huge.wasm"
    path.write_bytes(ECHO)
    os.truncate(path, 64 << 30)
    with pytest.raises(InvalidComponent, match=f"{64 << 30} bytes are over"):
        await engine.compile(path, Limits(max_component_bytes=1000))


async def test_each_compilation_is_in_the_log_with_its_time(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """It takes seconds for a guest that brings an interpreter; what the cache had is not compiled."""
    caplog.set_level("INFO", logger="airssys_wasm.runtime")
    for expected in (1, 0):
        caplog.clear()
        async with WasmtimeEngine(cache=tmp_path / "cache") as engine:
            await engine.compile(ECHO, Limits())
        assert expected == sum("(plain): compiled in" in record.getMessage() for record in caplog.records)


async def test_a_file_is_read_again_for_another_kind_of_engine_and_must_be_the_same(tmp_path: Path) -> None:
    """What was promised was that code, not whatever is there now; what is in the cache needs no file."""
    path = tmp_path / "echo.wasm"
    path.write_bytes(ECHO)
    async with WasmtimeEngine(cache=None) as engine:
        compiled = await engine.compile(path, Limits())
        metered = Limits(max_fuel=1_000_000)
        path.write_bytes(binary("counter"))
        with pytest.raises(InvalidComponent, match="has changed since it was loaded"):
            await engine.compile(compiled, metered)
        path.unlink()
        with pytest.raises(InvalidComponent, match="cannot be read"):
            await engine.compile(compiled, metered)
        path.write_bytes(ECHO)
        assert compiled is await engine.compile(compiled, metered)


@pytest.mark.parametrize("source", ["echo.wasm", 5, None, [ECHO]], ids=repr)
async def test_a_source_is_bytes_or_a_path(engine: WasmtimeEngine, source: object) -> None:
    """A str could be either, so it is neither."""
    with pytest.raises(ConfigError, match="source"):
        await engine.compile(source, Limits())


async def test_a_file_that_is_not_there_is_named(engine: WasmtimeEngine, tmp_path: Path) -> None:
    """With the system's reason."""
    with pytest.raises(InvalidComponent, match=r"none\.wasm: cannot be read: No such file"):
        await engine.compile(tmp_path / "none.wasm", Limits())


async def test_a_directory_and_a_pipe_are_no_files(engine: WasmtimeEngine, tmp_path: Path) -> None:
    """Opening a pipe would wait for somebody to write."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(InvalidComponent, match="is not a file"):
            await engine.compile(path, Limits())


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "\udcff"], ids=["nul", "long", "not utf-8"])
async def test_a_path_that_the_system_does_not_take_is_a_typed_error(
    engine: WasmtimeEngine, tmp_path: Path, name: str
) -> None:
    """Never a ValueError of the library's."""
    with pytest.raises(InvalidComponent, match="cannot be read"):
        await engine.compile(tmp_path / name, Limits())


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
async def test_a_file_that_may_not_be_read_is_named(engine: WasmtimeEngine, tmp_path: Path) -> None:
    """With the system's reason."""
    path = tmp_path / "secret.wasm"
    path.write_bytes(ECHO)
    path.chmod(0)
    with pytest.raises(InvalidComponent, match="Permission denied"):
        await engine.compile(path, Limits())


async def test_a_compiled_component_is_taken_as_it_is(engine: WasmtimeEngine) -> None:
    """For many loads."""
    compiled = await engine.compile(ECHO, Limits())
    assert compiled is await engine.compile(compiled, Limits())


def test_a_component_directory_finds_a_file_by_id(tmp_path: Path) -> None:
    """Namespace and name are folders."""
    expected = tmp_path.resolve() / "demo" / "guest" / "0.wasm"
    assert expected == ComponentDirectory(tmp_path).path_of(GUEST)


def test_a_link_out_of_the_component_directory_is_refused(tmp_path: Path) -> None:
    """Of the file, and of a folder above it; one that stays inside is fine."""
    base, outside = tmp_path / "base", tmp_path / "outside"
    (base / "demo" / "guest").mkdir(parents=True)
    outside.mkdir()
    (outside / "1.wasm").touch()
    (base / "demo" / "guest" / "1.wasm").symlink_to(outside / "1.wasm")
    (base / "demo" / "other").symlink_to(outside)
    (base / "demo" / "guest" / "2.wasm").symlink_to(base / "demo" / "guest" / "0.wasm")
    directory = ComponentDirectory(base)
    for component in (ComponentId("demo", "guest", "1"), ComponentId("demo", "other", "1")):
        with pytest.raises(InvalidComponent, match="outside the component directory"):
            directory.path_of(component)
    assert directory.path_of(ComponentId("demo", "guest", "2")).name == "0.wasm"


def test_a_base_directory_may_itself_be_a_link(tmp_path: Path) -> None:
    """It is resolved first."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert ComponentDirectory(tmp_path / "link").path_of(GUEST).is_relative_to((tmp_path / "real").resolve())
