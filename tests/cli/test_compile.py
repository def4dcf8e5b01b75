"""`airssys-wasm compile`: what is in the cache afterwards, what it says, how it exits."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from airssys_wasm.cli.app import app
from airssys_wasm.runtime.cache import DIRECTORY_VARIABLE
from tests.cli.commands import GUESTS, stages

ECHO = GUESTS / "echo.wasm"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of its own."""
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def compiled(*arguments: str | Path) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, ["compile", *map(str, arguments)])


def test_components_are_in_the_cache_afterwards(cache: Path) -> None:
    """And the second time nothing is compiled; with --metered that is other code."""
    done = compiled(ECHO, GUESTS / "counter.wasm")
    assert (0, 2) == (done.exit_code, len(list(cache.iterdir())))
    assert [f"{ECHO}: compiled in", f"{GUESTS / 'counter.wasm'}: compiled in"] == [
        line.rpartition(" in ")[0] + " in" for line in done.stdout.splitlines()
    ]
    assert (0, f"{ECHO}: is in the cache\n") == ((done := compiled(ECHO)).exit_code, done.stdout)
    done = compiled("--metered", ECHO)
    assert (0, 3) == (done.exit_code, len(list(cache.iterdir())))
    assert f"{ECHO} (metered): compiled in" in done.stdout


def test_of_a_pipeline_all_components_as_they_will_run(cache: Path, tmp_path: Path) -> None:
    """One that is used twice is compiled once; those with fuel are metered."""
    done = compiled(stages(tmp_path, ["echo", "echo", "counter"], "[component.limits]\nmax_fuel = 1000000"))
    assert (0, 2) == (done.exit_code, len(list(cache.iterdir())))
    assert all(".metered" in entry.name for entry in cache.iterdir())


def test_every_file_is_tried_and_bad_ones_exit_with_2(cache: Path, tmp_path: Path) -> None:
    """One line each."""
    (tmp_path / "x.wasm").write_bytes(b"no")
    done = compiled(tmp_path / "x.wasm", tmp_path / "gone.wasm", ECHO)
    assert (2, 1) == (done.exit_code, len(list(cache.iterdir())))
    assert f"{ECHO}: compiled in" in done.stdout
    lines = done.stderr.splitlines()
    assert ["is no WebAssembly" in lines[0], "cannot be read" in lines[1]] == [True, True]
    assert 2 == compiled(tmp_path / "gone.toml").exit_code


def test_without_a_cache_it_exits_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was to be kept, and is not."""
    monkeypatch.setenv(DIRECTORY_VARIABLE, "")
    done = compiled(ECHO)
    assert (1, True) == (done.exit_code, "no cache that it could be kept in" in done.stderr)
