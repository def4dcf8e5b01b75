"""`airssys-wasm inspect` and the program's own options."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from airssys_wasm.cli.app import app
from tests.cli.commands import GUESTS, airssys

LIFECYCLE = "airssys:core/component-lifecycle@1.0.0"


def test_a_component_that_fits() -> None:
    """Size, imports, exports, and the verdict."""
    done = CliRunner().invoke(app, ["inspect", str(GUESTS / "echo.wasm")])
    lines = done.output.splitlines()
    assert (0, ["payloads cross as one block", "fits airssys:core@1.0.0"]) == (done.exit_code, lines[-2:])
    assert f"{(GUESTS / 'echo.wasm').stat().st_size:,} bytes" in lines[0]
    assert f"  {LIFECYCLE}#handle-message" in lines[lines.index("exports:") :]


def test_json_for_programs() -> None:
    """The same facts."""
    done = CliRunner().invoke(app, ["inspect", "--json", str(GUESTS / "wasi.wasm")])
    report = json.loads(done.output)
    assert (True, True, []) == (report["fits"], report["wasi"], report["problems"])
    assert f"{LIFECYCLE}#initialize" in report["exports"]
    assert any(name.startswith("wasi:cli/stdout") for name in report["imports"])


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "is empty"), (b"text", "is no WebAssembly"), (b"\0asm\1\0\0\0", "is a core module"), (None, "No such file")],
)
def test_what_is_no_component_is_one_line(tmp_path: Path, content: bytes | None, problem: str) -> None:
    """Exit code 2, no traceback, the file named."""
    file = tmp_path / "x.wasm"
    if content is not None:
        file.write_bytes(content)
    done = airssys("inspect", file)
    assert (2, b"") == (done.returncode, done.stdout)
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith(f"airssys-wasm: {file}: ")
    assert problem in line


def test_a_component_that_does_not_fit_exits_with_2(tmp_path: Path) -> None:
    """An empty component exports nothing; each missing export is listed."""
    file = tmp_path / "empty.wasm"
    file.write_bytes(b"\0asm\x0d\0\1\0")
    done = airssys("inspect", file)
    assert done.returncode == 2
    assert b"does not fit airssys:core@1.0.0:" in done.stdout
    assert b"component-lifecycle" in done.stdout


def test_version_and_help() -> None:
    """Both exit with 0."""
    assert CliRunner().invoke(app, ["--version"]).output.startswith("airssys-wasm ")
    shown = CliRunner().invoke(app, ["--help"])
    assert shown.exit_code == 0
    assert {"run", "check", "inspect"} <= set(shown.output.split())


def test_an_unknown_command_exits_with_2() -> None:
    """As bad input does."""
    assert CliRunner().invoke(app, ["bogus"]).exit_code == 2
