"""`airssys-wasm new`: a project that is whole, or nothing."""

import importlib.resources
import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from airssys_wasm.cli.app import app
from airssys_wasm.cli.languages import Language
from tests.cli.commands import airssys

WIT = sorted(f"wit/{file.name}" for file in (importlib.resources.files("airssys_wasm") / "wit").iterdir())
COMMON = [".gitignore", "README.md", "guest.toml", "pipeline.toml", "pytest.ini", "test_guest.py"]
OWN = {
    "python": ["app.py"],
    "javascript": ["build.mjs", "guest.js", "package.json"],
    "c": ["Makefile", "airssys_guest.c", "airssys_guest.h", "airssys_memory.c", "guest.c"],
    "rust": ["Cargo.toml", "src/lib.rs"],
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def files_of(folder: Path) -> list[str]:
    """All files, below the folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("language", list(Language))
def test_a_project_is_whole(tmp_path: Path, language: Language) -> None:
    """Source, WIT, test, pipeline and README, with the name in place; nothing is left beside it."""
    done = CliRunner().invoke(app, ["new", "my-guest2", "--lang", language])
    assert (0, [tmp_path / "my-guest2"]) == (done.exit_code, list(tmp_path.iterdir()))
    folder = tmp_path / "my-guest2"
    assert sorted([*COMMON, *OWN[language], *WIT]) == files_of(folder)
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in files_of(folder)}
    assert [] == [name for name, text in texts.items() if "{{" in text.replace("{{}}", "")]
    assert {"name": "my-guest2", "language": language} == tomllib.loads(texts["guest.toml"])
    assert "guests/my-guest2" == tomllib.loads(texts["pipeline.toml"])["component"][0]["id"]
    assert "airssys-wasm build" in texts["README.md"]
    assert f"a guest in {language}" in done.output
    for name in filter(lambda name: name.endswith(".py"), texts):
        compile(texts[name], name, "exec")
    assert "my-guest2" == json.loads(texts.get("package.json", '{"name": "my-guest2"}'))["name"]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "Guest", "a/b", "../a", "-a", "--a", "a-", "a--b", "1a", "a b", "ä", "a\n", "a_b", "x" * 65]
)
def test_a_bad_name_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    """Exit code 2 and one line that says what a name is made of."""
    done = CliRunner().invoke(app, ["new", "--lang", "c", "--", name])
    assert (2, []) == (done.exit_code, list(tmp_path.iterdir()))
    assert "NAME is not made of lowercase letters, digits and single hyphens" in done.output


@pytest.mark.parametrize("kind", ["folder", "full folder", "file", "dangling link"])
def test_what_is_there_already_is_left_alone(tmp_path: Path, kind: str) -> None:
    """Whatever it is."""
    target = tmp_path / "guest"
    match kind:
        case "file":
            target.write_text("mine")
        case "dangling link":
            target.symlink_to("nowhere")
        case _:
            target.mkdir()
            if kind == "full folder":
                (target / "guest.c").write_text("mine")
    before = files_of(tmp_path)
    done = CliRunner().invoke(app, ["new", "guest", "--lang", "c"])
    assert (2, before, [target]) == (done.exit_code, files_of(tmp_path), list(tmp_path.iterdir()))
    assert "NAME is there already: 'guest'" in done.output


def test_an_unknown_language_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    """So is none at all."""
    done = CliRunner().invoke(app, ["new", "guest", "--lang", "cobol"])
    assert (2, []) == (done.exit_code, list(tmp_path.iterdir()))
    for language in Language:
        assert language in done.output
    assert 2 == CliRunner().invoke(app, ["new", "guest"]).exit_code


def test_a_disk_that_is_full_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project is written elsewhere first, and renamed when it is whole."""
    write, written = Path.write_bytes, list[Path]()

    def fails_at_the_fourth(path: Path, data: bytes) -> int:
        written.append(path)
        if len(written) > 3:
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fails_at_the_fourth)
    done = CliRunner().invoke(app, ["new", "guest", "--lang", "c"])
    assert (1, 4, []) == (done.exit_code, len(written), list(tmp_path.iterdir()))
    assert "No space left on device" in done.output


def test_as_a_program_it_says_its_errors_on_stderr() -> None:
    """One line with the program's name."""
    done = airssys("new", "Bad", "--lang", "python")
    assert (2, b"") == (done.returncode, done.stdout)
    assert done.stderr.startswith(b"airssys-wasm: NAME is not made of")
