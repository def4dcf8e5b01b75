"""`airssys-wasm inspect X.wasm`: what a component needs and offers, and whether it fits the contract."""

import json
from pathlib import Path
from typing import Annotated, Final

import anyio
import attrs
import typer

from airssys_wasm.cli.outcome import Code, Debug, told
from airssys_wasm.core.observations import ComponentReport
from airssys_wasm.system.system import ActorSystem

_PATHS: Final = {"bytes": "as one block", "values": "value by value: slowly, and no more than 2 MiB"}


def inspect(
    file: Annotated[Path, typer.Argument(metavar="X.wasm", help="The component.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
    debug: Debug = False,
) -> None:
    """Show imports, exports, size and metadata of a component. Exit code 2 when it does not fit."""
    with told(debug=debug):
        report = anyio.run(inspected, file)
    if as_json:
        facts = attrs.asdict(report, filter=attrs.filters.exclude("python"))
        print(json.dumps({"file": str(file), **facts}, indent=2))
    else:
        _show(file, report)
    if not (report.fits or report.callable):
        raise typer.Exit(Code.BAD_INPUT)


async def inspected(file: Path) -> ComponentReport:
    """What is found in a file."""
    async with ActorSystem(name="inspect") as system:
        return await system.inspect(file)


def _show(file: Path, report: ComponentReport) -> None:
    print(f"{file}: {report.size_bytes:,} bytes")
    if report.metadata is not None:
        print("metadata:")
        for name, value in attrs.asdict(report.metadata).items():
            print(f"  {name.replace('_', '-')}: {', '.join(value) if isinstance(value, tuple | list) else value}")
    _list("imports", report.imports)
    _list("exports", report.exports)
    if report.wasi:
        print("imports WASI: gets an empty one, on a thread of its own")
    print(report.wit, end="")
    if not report.callable:
        _list("does not fit airssys:core@1.0.0", report.problems)
    if report.payload_path is not None:
        print(f"payloads cross {_PATHS[report.payload_path]}")
    if report.fits:
        print("fits airssys:core@1.0.0")
    elif report.callable:
        print("has functions of its own, to be called")


def _list(title: str, entries: tuple[str, ...]) -> None:
    if entries:
        print(f"{title}:")
    for entry in entries:
        print(f"  {entry}")
