"""The program `airssys-wasm`: its commands and its version."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from airssys_wasm.cli.bench import bench
from airssys_wasm.cli.build import build
from airssys_wasm.cli.check import check
from airssys_wasm.cli.compile import compile_
from airssys_wasm.cli.inspect import inspect
from airssys_wasm.cli.new import new
from airssys_wasm.cli.run import run
from airssys_wasm.cli.types import types

app = typer.Typer(
    name="airssys-wasm",
    help="Run WebAssembly components as supervised actors.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run)
app.command()(check)
app.command()(inspect)
app.command()(types)
app.command("compile")(compile_)
app.command()(bench)
app.command()(new)
app.command()(build)


def _show_version(wanted: bool) -> None:
    if wanted:
        try:
            number = version("airssys-wasm")
        except PackageNotFoundError:  # run from its sources
            number = "(not installed)"
        print(f"airssys-wasm {number}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Run WebAssembly components as supervised actors."""
