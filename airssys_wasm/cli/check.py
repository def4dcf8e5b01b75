"""`airssys-wasm check FILE.toml`: find what is wrong without running it."""

from pathlib import Path
from typing import Annotated

import anyio
import typer

from airssys_wasm.cli.outcome import Debug, told
from airssys_wasm.system.pipeline_open import check_components, open_pipeline
from airssys_wasm.system.pipeline_plan import Plan


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="The pipeline.")],
    *,
    debug: Debug = False,
) -> None:
    """Check a pipeline, all of it, without running it. Exit code 2 when something is wrong."""
    with told(debug=debug):
        plan = anyio.run(_checked, file)
    ends = f"{_count(len(plan.spec.sources), 'source')}, {_count(len(plan.spec.sinks), 'sink')}"
    print(f"{file}: fine: {ends}, {_count(len(plan.components), 'component')}: {' -> '.join(plan.order)}")


async def _checked(file: Path) -> Plan:
    plan = await open_pipeline(file)
    await check_components(plan)
    return plan


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"
