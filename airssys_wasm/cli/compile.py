"""`airssys-wasm compile X.wasm…`: compile ahead of time, so that no start has to wait for it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from airssys_wasm.cli.outcome import Code, Debug, is_bad_input, say, told
from airssys_wasm.system.precompile import Precompiled, Wanted, precompile, wanted_of


def compile_(
    files: Annotated[
        list[Path], typer.Argument(metavar="X.wasm|PIPELINE.toml...", help="Components; all those of a pipeline.")
    ],
    *,
    metered: Annotated[
        bool, typer.Option("--metered", help="For components that are given max_fuel; a pipeline says so itself.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Compile components into the cache ($AIRSSYS_WASM_CACHE, or airssys-wasm in the user's cache directory).

    Each file is tried. Exit code 2 when one of them is no component of the contract, 1 when one could not be kept.
    """
    with told(debug=debug):
        done = anyio.run(_compile, files, metered)
    bad = [one.problem for one in done if one.problem is not None and is_bad_input(one.problem)]
    if bad or not all(one.kept for one in done):
        raise typer.Exit(Code.BAD_INPUT if bad else Code.FAILED)


async def _compile(files: Sequence[Path], metered: bool) -> list[Precompiled]:
    wanted, done = await wanted_of(files, metered=metered), list[Precompiled]()
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(_doing(wanted, 0), total=None)
        async for one in precompile(wanted):
            done.append(one)
            _tell(one)
            progress.reset(task, description=_doing(wanted, len(done)))
    return done


def _doing(wanted: Sequence[Wanted], number: int) -> str:
    return f"{number + 1} of {len(wanted)}: {wanted[number].file}" if number < len(wanted) else ""


def _tell(one: Precompiled) -> None:
    name = f"{one.wanted.file}{'' if one.wanted.kind == 'plain' else f' ({one.wanted.kind})'}"
    if one.problem is not None:
        say(str(one.problem))
    elif not one.kept:
        say(f"{name}: compiled, but there is no cache that it could be kept in")
    elif one.was_there:
        print(f"{name}: is in the cache")
    else:
        print(f"{name}: compiled in {one.seconds:.2f} s")
