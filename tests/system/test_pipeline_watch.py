"""When a changed file is looked into, and what is no new version."""

import os
import shutil
from pathlib import Path

import anyio
import pytest

from airssys_wasm import ComponentId
from airssys_wasm.runtime.wat import assemble
from airssys_wasm.system.pipeline import Pipeline
from airssys_wasm.system.pipeline_open import open_pipeline
from airssys_wasm.system.pipeline_watch import Shape, Watch, Watched
from tests.contract.stage import until
from tests.system.pipelines import GUESTS, results, write

TYPED = """
(component
  (core module $code (func (export "f")))
  (core instance $made (instantiate $code))
  (func (export "f") (canon lift (core func $made "f"))))
"""

A, B, C = (1, 10, 1), (2, 10, 1), (2, 11, 1)


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([A, A, A, A], "-!--"),
        ([A, A, B, B, B], "-!-!-"),
        ([A, B, C, C], "---!"),
        ([A, A, None, None, A, A], "-!----"),
        ([A, A, None, B, B], "-!--!"),
        ([None, None], "--"),
        ([A, A, B, A, A], "-!---"),
    ],
)
def test_a_file_is_read_once_for_each_content_that_rests(looks: list[Shape | None], expected: str) -> None:
    """Half-written ones are not, nor one that is gone, nor one that is as it was."""
    watched = Watched()
    assert expected == "".join("!" if watched.is_new(look) else "-" for look in looks)


async def test_a_component_that_takes_no_messages_is_no_new_version(tmp_path: Path) -> None:
    """One with functions of its own alone: each message would be lost from then on."""
    place, said = tmp_path / "guest.wasm", list[str]()
    shutil.copy(GUESTS / "echo.wasm", place)
    components = f'[[component]]\nid = "x/a"\npath = "{place}"\n'
    file, fifo = write(tmp_path, components, "in > x/a > out"), tmp_path / "in.txt"
    fifo.unlink()
    os.mkfifo(fifo)
    pipeline, held = Pipeline(await open_pipeline(file)), os.open(fifo, os.O_RDWR)

    async def replace() -> None:
        try:
            await until(lambda: bool(pipeline.system and pipeline.system.get(ComponentId("x", "a", "0"))))
            place.write_bytes(assemble(TYPED))
            await until(lambda: bool(said))
            os.write(held, b"after\n")
        finally:
            os.close(held)

    async with anyio.create_task_group() as beside:
        beside.start_soon(Watch(pipeline, said.append, look_seconds=0.01).run)
        beside.start_soon(replace)
        summary = await pipeline.run()
        beside.cancel_scope.cancel()
    assert "is missing; the component has to fit airssys:core@1.0.0" in said[0]
    assert (True, [b"after"]) == (summary.ok, results(tmp_path))
