"""The compile cache: trusted only where nobody else can write, and never a reason to fail."""

import asyncio
import hashlib
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime import loader, machine
from airssys_wasm.runtime.cache import DIRECTORY_VARIABLE, default_directory
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.extension import extension_name
from tests.runtime.guests import GUEST, ask, binary

ECHO = binary("echo")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the cache will be."""
    return tmp_path / "cache"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list that grows with each component that is compiled, not loaded."""
    names, real = list[str](), loader._compile

    def counted(by: machine.Machine, source: str, data: bytes, tail: bytes) -> object:
        names.append(source)
        return real(by, source, data, tail)

    monkeypatch.setattr(loader, "_compile", counted)
    return names


async def echo_through(directory: Path, limits: Limits | None = None, *, byte_path: bool = True) -> bytes | None:
    """What the echo answers in a new engine."""
    limits = limits or Limits()
    async with WasmtimeEngine(cache=directory, byte_path=byte_path) as engine:
        guest = await engine.start(await engine.compile(ECHO, limits), HostState(GUEST, limits))
        await guest.initialize(ComponentConfig())
        answer = await ask(guest, b"still here")
        await guest.aclose()
        return answer


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the runtime said in the log."""
    return [record.getMessage() for record in caplog.records if record.name == "airssys_wasm.runtime"]


def entries(directory: Path) -> list[Path]:
    """The files of the cache."""
    return sorted(path for path in directory.iterdir() if path.is_file())


async def test_a_second_engine_compiles_nothing(directory: Path, compiled: list[str]) -> None:
    """It maps what the first one wrote."""
    answers = [await echo_through(directory) for _ in range(3)]
    assert ([b"still here"] * 3, 1) == (answers, len(compiled))


async def test_directory_and_files_are_private(directory: Path) -> None:
    """Loading a file is running its code."""
    await echo_through(directory)
    assert 0o700 == stat.S_IMODE(directory.stat().st_mode)
    (entry,) = entries(directory)
    assert 0o600 == stat.S_IMODE(entry.stat().st_mode)


async def test_the_name_holds_digest_version_settings_and_extension(directory: Path, compiled: list[str]) -> None:
    """Metered code is other code, so is that of another wasmtime, and so is that of an extended component."""
    await echo_through(directory)
    await echo_through(directory, Limits(max_fuel=10_000_000))
    await echo_through(directory, byte_path=False)
    names = [path.name for path in entries(directory)]
    assert (3, 3) == (len(names), len(compiled))
    assert all(machine._WASMTIME_VERSION in name for name in names)
    assert {("metered", False), ("plain", True), ("plain", False)} == {
        ("metered" if ".metered." in name else "plain", extension_name() in name) for name in names
    }


async def test_another_extension_is_another_entry(
    directory: Path, compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was extended by an older version of this package is not taken for what this one makes."""
    await echo_through(directory)
    monkeypatch.setattr(loader, "extension_name", lambda: ".bytes-0-older")
    await echo_through(directory)
    assert (2, 2) == (len(compiled), len(entries(directory)))


async def test_another_wasmtime_finds_nothing(
    directory: Path, compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its version is part of the key."""
    await echo_through(directory)
    monkeypatch.setattr(machine, "_WASMTIME_VERSION", "999.0")
    await echo_through(directory)
    assert (2, 2) == (len(compiled), len(entries(directory)))


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o755, 0o740])
async def test_a_directory_that_is_open_to_others_is_not_used(
    directory: Path, caplog: pytest.LogCaptureFixture, mode: int
) -> None:
    """Said once in the log; the component runs all the same."""
    directory.mkdir()
    directory.chmod(mode)
    assert b"still here" == await echo_through(directory)
    assert [] == entries(directory)
    assert ["compile cache"] == [line[:13] for line in complaints(caplog)]


async def test_a_link_to_a_directory_is_not_used(directory: Path, tmp_path: Path) -> None:
    """Whoever made the link may move it."""
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    directory.symlink_to(tmp_path / "elsewhere")
    assert b"still here" == await echo_through(directory)
    assert [] == entries(tmp_path / "elsewhere")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
async def test_a_directory_of_another_user_is_not_used(directory: Path) -> None:
    """Whatever its mode."""
    directory.mkdir(mode=0o700)
    os.chown(directory, 65534, 65534)
    assert b"still here" == await echo_through(directory)
    assert [] == entries(directory)


def _truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _zeros_at_the_end(content: bytes) -> bytes:
    return content[: len(content) // 2] + bytes(len(content) - len(content) // 2)


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"x",
        lambda _: b"not compiled code at all" * 100,
        _truncated,
        _zeros_at_the_end,
        _flipped,
    ],
    ids=["empty", "one byte", "text", "truncated", "zeros", "one bit"],
)
async def test_a_damaged_entry_is_compiled_anew_and_replaced(
    directory: Path, compiled: list[str], caplog: pytest.LogCaptureFixture, damage: Callable[[bytes], bytes]
) -> None:
    """What a power cut or a bad disk leaves must never be run."""
    await echo_through(directory)
    (entry,) = entries(directory)
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    assert b"still here" == await echo_through(directory)
    assert (2, 1) == (len(compiled), len(complaints(caplog)))
    assert b"still here" == await echo_through(directory)
    assert 2 == len(compiled)


async def test_an_entry_is_written_whole_or_not_at_all(
    directory: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs the next start its time, and leaves no half file."""

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("airssys_wasm.runtime.cache_file.save_component", full)
    with caplog.at_level(logging.WARNING):
        assert b"still here" == await echo_through(directory)
    assert [] == entries(directory)
    assert "No space left on device" in caplog.text


async def test_a_directory_that_cannot_be_made_is_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file stands where it should be."""
    (tmp_path / "file").touch()
    assert b"still here" == await echo_through(tmp_path / "file" / "cache")
    assert 1 == len(complaints(caplog))


async def test_many_engines_at_once_write_one_entry(directory: Path) -> None:
    """Each by a rename of a file of its own."""
    answers = await asyncio.gather(*[echo_through(directory) for _ in range(8)])
    assert [b"still here"] * 8 == answers
    assert 1 == len(entries(directory))


async def test_without_a_cache_everything_is_compiled(compiled: list[str]) -> None:
    """None is a choice."""
    async with WasmtimeEngine(cache=None) as engine:
        for _ in range(2):
            await engine.compile(ECHO, Limits())
    assert 2 == len(compiled)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({DIRECTORY_VARIABLE: "/somewhere"}, Path("/somewhere")),
        ({DIRECTORY_VARIABLE: ""}, None),
        ({"XDG_CACHE_HOME": "/xdg"}, Path("/xdg/airssys-wasm")),
        ({"HOME": "/home/someone"}, Path("/home/someone/.cache/airssys-wasm")),
    ],
    ids=["chosen", "off", "xdg", "home"],
)
def test_the_environment_says_where_the_cache_is(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: Path | None
) -> None:
    """Our own variable, the XDG directory, the home directory."""
    for name in (DIRECTORY_VARIABLE, "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert expected == default_directory()


async def test_the_cache_counts_what_it_does(directory: Path) -> None:
    """One entry written by the first engine, used by the second."""
    counted = []
    for _ in range(2):
        async with WasmtimeEngine(cache=directory) as engine:
            await engine.compile(ECHO, Limits())
            counted.append((engine.cache_statistics.hits, engine.cache_statistics.written))
    assert [(0, 1), (1, 0)] == counted


async def test_an_entry_that_is_used_is_the_last_to_go(directory: Path) -> None:
    """Its time is renewed."""
    await echo_through(directory)
    (entry,) = entries(directory)
    os.utime(entry, (1, 1))
    await echo_through(directory)
    assert entry.stat().st_mtime > 1


async def test_all_entries_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was used least recently goes; what has just been written stays, even alone over the bound."""
    directory = tmp_path / "small"
    monkeypatch.setattr("airssys_wasm.runtime.cache.CompileCache.__init__.__defaults__", (1,))
    for guest in ("echo", "counter"):
        async with WasmtimeEngine(cache=directory) as engine:
            await engine.compile(binary(guest), Limits())
    (entry,) = entries(directory)
    assert entry.name.startswith(hashlib.sha256(binary("counter")).hexdigest())


async def test_an_entry_that_vanishes_is_compiled_anew_without_a_word(
    directory: Path, compiled: list[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process made room at that very moment."""
    await echo_through(directory)

    def gone(path: Path) -> bool:
        path.unlink()
        raise FileNotFoundError(path)

    monkeypatch.setattr("airssys_wasm.runtime.cache.is_whole", gone)
    assert b"still here" == await echo_through(directory)
    assert (2, []) == (len(compiled), complaints(caplog))
