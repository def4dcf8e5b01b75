"""A guest that was built elsewhere, by other tools, against the same WIT: it loads and works."""

import importlib.util
import os
from pathlib import Path

import pytest

from airssys_wasm import ActorState, ComponentCrashed, GuestError, Limits
from tests.contract.python_rows import ROWS
from tests.contract.rows import Row, check, load_cast
from tests.contract.stage import EVERYTHING, Actor, Stage, component
from tests.guests import build_python

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        importlib.util.find_spec("componentize_py") is None and not os.environ.get("CI"),
        reason="componentize-py is not installed; it comes with the dev extra",
    ),
]


@pytest.fixture(scope="session")
def python_guest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The component, built once for all tests of a run."""
    return build_python.build(tmp_path_factory.mktemp("python-guest") / "guest.wasm")


async def load(stage: Stage, guest: Path) -> Actor:
    """The Python guest, as the asker of the rows."""
    handle = await stage.system.load(
        component("asker"),
        guest,
        capabilities=EVERYTHING,
        config="from python",
        limits=Limits(max_memory_bytes=256 << 20),
        shutdown="brutal",
    )
    return Actor(handle)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.covers[0]}, {row.behaviour}")
async def test_the_python_guest_plays_its_rows(row: Row, stage: Stage, python_guest: Path) -> None:
    """Each step answers what the row says."""
    actors = {"asker": await load(stage, python_guest)} | await load_cast(row, stage)
    for step in row.steps:
        await check(actors, step)


async def test_its_payloads_cross_as_one_block(stage: Stage, python_guest: Path) -> None:
    """It is lifted as any other; wasmtime takes it with its extension."""
    (build,) = (await stage.system.compile(python_guest)).builds.values()
    assert build.frames is not None


async def test_its_answers_and_errors_are_those_of_the_contract(stage: Stage, python_guest: Path) -> None:
    """None, err, and an exception that nobody caught, which is a crash and a restart."""
    asker = await load(stage, python_guest)
    data = bytes(range(256)) * 256
    assert (data, None) == (await asker.handle.ask(data), await asker.handle.ask(b"none"))
    with pytest.raises(GuestError, match="runtime-error: told to"):
        await asker.handle.ask(b"err told to")
    with pytest.raises(ComponentCrashed):
        await asker.handle.ask(b"raise something", timeout=30)
    assert (b"again", ActorState.RUNNING) == (await asker.handle.ask(b"again", timeout=60), asker.handle.state)
    assert "python" == asker.handle.metadata.name
