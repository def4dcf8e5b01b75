"""`airssys-wasm new NAME --lang LANGUAGE`: a small guest that works, with its WIT, a test, a pipeline and a README."""

import re
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Final

import typer

from airssys_wasm.cli.languages import Language
from airssys_wasm.cli.outcome import Debug, told
from airssys_wasm.core.errors import ConfigError

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MOST_CHARACTERS: Final = 64  # npm and crates allow more, file names need not
_SUFFIX: Final = ".in"  # of templates that tools of this repository would take for their own


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the guest and its folder: lowercase, like my-guest.")],
    *,
    language: Annotated[Language, typer.Option("--lang", help="What it is written in.")],
    debug: Debug = False,
) -> None:
    """Write a small guest into a new folder of this name. Exit code 2 when the name is bad or taken."""
    with told(debug=debug):
        folder = write_project(Path.cwd(), name, language)
    print(f"{folder.name}/ has a guest in {language}; its README.md says how to go on:")
    print(f"  cd {folder.name} && airssys-wasm build && echo Ada | airssys-wasm run pipeline.toml")


def write_project(into: Path, name: str, language: Language) -> Path:
    """Write all of it, or nothing; its folder.

    Raises:
        ConfigError: The name is bad or taken.
        OSError: It cannot be written here.
    """
    if not _NAME.fullmatch(name) or len(name) > _MOST_CHARACTERS:
        problem = (
            f"is not made of lowercase letters, digits and single hyphens, a letter first, {_MOST_CHARACTERS} at most"
        )
        raise ConfigError("NAME", name, problem)
    target = into / name
    if target.exists() or target.is_symlink():
        raise ConfigError("NAME", name, "is there already")
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=into) as scratch:
        whole = Path(scratch) / name
        for path, content in _project(name, language):
            (whole / path).parent.mkdir(parents=True, exist_ok=True)
            (whole / path).write_bytes(content)
        whole.rename(target)
    return target


def _project(name: str, language: Language) -> Iterator[tuple[str, bytes]]:
    package = files("airssys_wasm")
    for template in (package / "templates" / "common", package / "templates" / language):
        for path, file in _walk(template):
            text = file.read_text(encoding="utf-8").replace("{{name}}", name).replace("{{language}}", language)
            yield (".gitignore" if path == "gitignore" else path.removesuffix(_SUFFIX)), text.encode()
    for path, file in _walk(package / "wit"):
        yield f"wit/{path}", file.read_bytes()


def _walk(folder: Traversable) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from ((f"{entry.name}/{path}", file) for path, file in _walk(entry))
        else:
            yield entry.name, entry
