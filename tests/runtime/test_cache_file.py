"""The cache's files: what is damaged, and which of them go."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wasmtime.component import Component

from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime import cache_file
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.machine import PLAIN
from tests.runtime.guests import GUEST, ask, binary


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small guest has many."""
    monkeypatch.setattr(cache_file, "_PIECE", 1000)


async def component() -> Component:
    """A compiled one."""
    async with WasmtimeEngine(cache=None) as engine:
        compiled = await engine.compile(binary("echo"), Limits())
        return compiled.builds[PLAIN].component


@pytest.mark.usefixtures("small_pieces")
async def test_every_changed_byte_in_every_piece_is_noticed(tmp_path: Path) -> None:
    """At the edges of pieces, in the hash itself, and a piece that is missing or twice there."""
    file = tmp_path / "x.cwasm"
    cache_file.write(file, await component())
    whole = file.read_bytes()
    assert cache_file.is_whole(file)
    assert [file] == list(tmp_path.iterdir())
    for place in (0, 999, 1000, 1001, len(whole) // 2, len(whole) - 33, len(whole) - 32, len(whole) - 1):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert not cache_file.is_whole(file)
    for damaged in (whole[1000:], whole[:1000] + whole, whole[1000:2000] + whole[:1000] + whole[2000:], whole[:32]):
        file.write_bytes(damaged)
        assert not cache_file.is_whole(file)


def test_a_file_without_content_is_an_error(tmp_path: Path) -> None:
    """Nothing can be mapped."""
    (tmp_path / "x").touch()
    with pytest.raises(OSError, match="is empty"):
        cache_file.is_whole(tmp_path / "x")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(0, 100), max_size=8), bound=st.integers(0, 400))
def test_the_least_recently_used_go_until_the_rest_fits(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], bound: int
) -> None:
    """Against a model: newest first, as long as they fit one after the other; the one just written always stays."""
    folder = tmp_path_factory.mktemp("cache")
    keep = folder / "keep.cwasm"
    keep.write_bytes(bytes(50))
    files = []
    for age, size in enumerate(sizes):
        files.append(folder / f"{age}.cwasm")
        files[-1].write_bytes(bytes(size))
        os.utime(files[-1], (10_000 - age, 10_000 - age))
    left, expected = bound - 50, set()
    for file, size in zip(files, sizes, strict=True):
        left -= size
        expected |= {file} if left < 0 else set()
    assert expected == set(cache_file.prune(folder, bound, keep))
    assert {keep, *files} - expected == set(folder.iterdir())


def test_what_a_dead_process_left_half_written_goes_after_an_hour(tmp_path: Path) -> None:
    """What is being written now does not, nor what is no file of the cache."""
    old, new, other = (tmp_path / name for name in (".new-old", ".new-new", "other"))
    for path in (old, new, other):
        path.touch()
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    os.utime(other, (1, 1))
    cache_file.prune(tmp_path, 0, tmp_path / "keep.cwasm")
    assert {new, other} == set(tmp_path.iterdir())


def test_what_another_process_removes_meanwhile_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the listing and the look at it, or before the removal."""
    files = [tmp_path / f"{number}.cwasm" for number in range(3)]
    for file in files:
        file.write_bytes(bytes(10))
    real = Path.stat

    def stat(path: Path, **how: bool) -> os.stat_result:
        if path == files[0]:
            path.unlink(missing_ok=True)
        return real(path, **how)

    monkeypatch.setattr(Path, "stat", stat)
    assert {files[1], files[2]} == set(cache_file.prune(tmp_path, 0, tmp_path / "keep.cwasm"))


async def test_a_removed_file_stays_mapped_for_who_uses_it(tmp_path: Path) -> None:
    """Another process may be running it."""
    async with WasmtimeEngine(cache=tmp_path / "cache") as first:
        await first.compile(binary("echo"), Limits())
    async with WasmtimeEngine(cache=tmp_path / "cache") as user:
        compiled = await user.compile(binary("echo"), Limits())
        removed = cache_file.prune(tmp_path / "cache", 0, tmp_path / "keep.cwasm")
        assert 1 == len(removed)
        guest = await user.start(compiled, HostState(GUEST))
        await guest.initialize(ComponentConfig())
        assert b"x" == await ask(guest, b"x")
        await guest.aclose()
