"""`airssys-wasm build [FOLDER]`: make the component of a guest that `new` wrote, or say which tool is missing."""

import os
import subprocess
import tomllib
from pathlib import Path
from typing import Annotated

import attrs
import typer

from airssys_wasm.cli.languages import RECIPES, Language, Tool, search_path
from airssys_wasm.cli.outcome import Code, Debug, say, told
from airssys_wasm.core.config import one_of
from airssys_wasm.core.errors import ConfigError


@attrs.frozen
class Project:
    """What `guest.toml` says."""

    folder: Path
    name: str
    language: Language


def build(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Of the guest; this one by default.")] = Path(),
    *,
    debug: Debug = False,
) -> None:
    """Build a guest. Exit code 2 when it is none or a tool is missing, 1 when a tool fails, in its own words."""
    with told(debug=debug):
        project = read_project(folder)
    recipe = RECIPES[project.language]
    if missing := [tool for tool in recipe.tools if tool.missing_for(folder)]:
        _say_missing(project, missing)
        raise typer.Exit(Code.BAD_INPUT)
    for command in recipe.commands(project.name):
        # The commands are this program's own, the name was checked.
        done = subprocess.run(command, cwd=folder, env={**os.environ, "PATH": search_path()}, check=False)  # noqa: S603
        if done.returncode:
            say(f"{Path(command[0]).name} failed with exit code {done.returncode}")
            raise typer.Exit(Code.FAILED)
    component = folder / f"{project.name}.wasm"
    with told(debug=debug):
        print(f"{component}: {component.stat().st_size:,} bytes")


def read_project(folder: Path) -> Project:
    """Read `guest.toml`.

    Raises:
        ConfigError: It is not there, no TOML, or does not say name and language.
    """
    file = folder / "guest.toml"
    try:
        said = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise ConfigError("FOLDER", str(folder), "has no guest.toml; `airssys-wasm new` writes one") from exc
    except ValueError as exc:
        raise ConfigError(str(file), str(exc), "is no TOML") from exc
    name = said.get("name")
    if not isinstance(name, str) or not name or Path(name).name != name:
        raise ConfigError(f"{file}: name", name, "is no file name")
    return Project(folder, name, one_of(Language, f"{file}: language", said.get("language")))


def _say_missing(project: Project, missing: list[Tool]) -> None:
    say(f"{project.name} is written in {project.language}; to build it, these are missing:")
    for tool in missing:
        say(f"  {tool.name}: {tool.get}")
