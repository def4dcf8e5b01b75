"""How a command ends: exit codes, and one line on stderr for each thing that went wrong."""

import contextlib
import sys
from collections.abc import Iterator
from enum import IntEnum
from typing import Annotated

import typer

from airssys_wasm.core.errors import AirssysError, ConfigError, ExportNotFound, InvalidComponent, InvalidId


class Code(IntEnum):
    """Exit codes of all commands."""

    DONE = 0
    FAILED = 1
    BAD_INPUT = 2


Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def say(text: str) -> None:
    """One or more lines on stderr, each with the program's name."""
    for line in text.splitlines():
        sys.stderr.write(f"airssys-wasm: {line}\n")


@contextlib.contextmanager
def told(*, debug: bool) -> Iterator[None]:
    """Turn errors of the user's making, and of the machine's, into lines and an exit code.

    What else is raised is a mistake in this program and keeps its traceback.
    """
    try:
        yield
    except (AirssysError, OSError) as exc:
        if debug:
            raise
        say(str(exc))
        raise typer.Exit(Code.BAD_INPUT if is_bad_input(exc) else Code.FAILED) from exc


def is_bad_input(error: Exception) -> bool:
    """Whether it is what was given that is wrong, rather than what came of it."""
    return isinstance(error, ConfigError | ExportNotFound | FileNotFoundError | InvalidComponent | InvalidId)
