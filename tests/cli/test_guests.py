"""From `new` to a running guest, in each language, as its README says: build, test, run."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airssys_wasm.cli.languages import RECIPES, Language, search_path
from airssys_wasm.cli.new import write_project
from tests.cli.commands import PROGRAM

UNREACHABLE = ("ENOTFOUND", "ECONNREFUSED", "EAI_AGAIN", "ETIMEDOUT", "ECONNRESET", "E403")
"""What npm says when it does not get to its registry."""


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A new guest in the language of the test; what it needed is removed, for it is large."""
    yield write_project(tmp_path, "greeter", request.param)
    shutil.rmtree(tmp_path / "greeter")


def run(folder: Path, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a guest's folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    return subprocess.run(
        command,
        cwd=folder,
        env={**environment, "PATH": search_path()},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


def build_test_and_run(folder: Path) -> None:
    """The three steps of its README."""
    built = run(folder, *PROGRAM, "build")
    assert (0, "") == (built.returncode, built.stderr if built.returncode else "")
    assert "greeter.wasm: " in built.stdout
    tested = run(folder, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert "2 passed" in tested.stdout, tested.stdout + tested.stderr
    ran = run(folder, *PROGRAM, "run", "pipeline.toml", stdin="Ada\nGrace\n")
    assert "Hello, Ada! You are number 1.\nHello, Grace! You are number 2.\n" == ran.stdout, ran.stderr


def skip_without(language: Language, folder: Path, *but: str) -> None:
    """Skip the test where a tool of the language is not there, with the name of the first."""
    for tool in RECIPES[language].tools:
        if tool.name not in but and tool.missing_for(folder):
            pytest.skip(f"{tool.name} is not there: {tool.get}")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("folder", [Language.C], indirect=True)
def test_a_guest_in_c(folder: Path) -> None:
    """With clang, lld and wasm-tools."""
    skip_without(Language.C, folder)
    build_test_and_run(folder)


@pytest.mark.slow
@pytest.mark.timeout(500)
@pytest.mark.parametrize("folder", [Language.PYTHON], indirect=True)
def test_a_guest_in_python(folder: Path) -> None:
    """With componentize-py."""
    skip_without(Language.PYTHON, folder)
    build_test_and_run(folder)


@pytest.mark.slow
@pytest.mark.timeout(500)
@pytest.mark.parametrize("folder", [Language.JAVASCRIPT], indirect=True)
def test_a_guest_in_javascript(folder: Path) -> None:
    """With node and what npm installs."""
    skip_without(Language.JAVASCRIPT, folder, "@bytecodealliance/componentize-js")
    if shutil.which("npm") is None:
        pytest.skip("npm is not there")
    installed = run(folder, "npm", "install", "--no-audit", "--no-fund", "--loglevel=error")
    if installed.returncode and any(word in installed.stderr for word in UNREACHABLE):
        pytest.skip(f"npm cannot reach its registry: {installed.stderr[-200:]}")
    assert 0 == installed.returncode, installed.stderr
    build_test_and_run(folder)


@pytest.mark.slow
@pytest.mark.timeout(500)
@pytest.mark.parametrize("folder", [Language.RUST], indirect=True)
def test_a_guest_in_rust(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as this machine has what it needs: its form everywhere, the build where cargo has its crates already."""
    skip_without(Language.RUST, folder)
    if shutil.which("rustfmt"):
        checked = run(folder, "rustfmt", "--check", "--edition", "2021", "src/lib.rs")
        assert (0, "") == (checked.returncode, checked.stdout)
    fetched = run(folder, "cargo", "fetch", "--offline")
    if fetched.returncode:
        pytest.skip("formatted and parsed, not built: cargo does not have the crate wit-bindgen")
    monkeypatch.setenv("CARGO_NET_OFFLINE", "true")
    build_test_and_run(folder)
