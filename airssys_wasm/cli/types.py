"""`airssys-wasm types X.wasm`: a Python module with a component's types, for mypy and for people."""

from pathlib import Path
from typing import Annotated

import anyio
import typer

from airssys_wasm.cli.inspect import inspected
from airssys_wasm.cli.outcome import Debug, told


def types(
    file: Annotated[Path, typer.Argument(metavar="X.wasm", help="The component.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write this file instead of stdout.")] = None,
    *,
    debug: Debug = False,
) -> None:
    """Write a module with classes for a component's values, proxies for its exports, Protocols for its imports.

    Its `load` loads the component with objects that are checked against the Protocols, and its classes are called like
    the interfaces: mypy then checks callers and host alike.
    """
    with told(debug=debug):
        module = anyio.run(inspected, file).python
        if output is None:
            print(module, end="")
        else:
            output.write_text(module, encoding="utf-8")
