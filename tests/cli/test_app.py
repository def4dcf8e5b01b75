"""The commands in one process: exit codes, and what goes to which stream."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from airssys_wasm.cli.app import app
from airssys_wasm.core.errors import PipelineInvalid
from tests.cli.commands import stages


def ends(folder: Path, lines: bytes) -> list[str]:
    """Options that read lines from a file and write to one."""
    (folder / "in.txt").write_bytes(lines)
    return ["--input", str(folder / "in.txt"), "--output", str(folder / "out.txt")]


def test_run_writes_results_to_the_output_and_the_rest_to_stderr(tmp_path: Path) -> None:
    """A pipeline that went well."""
    done = CliRunner().invoke(app, ["run", str(stages(tmp_path, ["echo"])), *ends(tmp_path, b"a\nb\n")])
    assert (0, "", b"a\nb\n") == (done.exit_code, done.stdout, (tmp_path / "out.txt").read_bytes())
    assert "2 messages in" in done.stderr


def test_run_fails_when_a_message_did(tmp_path: Path) -> None:
    """And says what it was, and what ended the run."""
    file = stages(tmp_path, ["hostile"], 'restart = "temporary"')
    done = CliRunner().invoke(app, ["run", str(file), *ends(tmp_path, b"err timeout\ntrap\necho 1\n")])
    assert done.exit_code == 1
    assert "airssys-wasm: error: x/0/0: timeout" in done.stderr
    assert "airssys-wasm: x/0/0 will not run again" in done.stderr


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_wrong_pipeline_exits_with_2(tmp_path: Path, command: str) -> None:
    """One line for each mistake."""
    done = CliRunner().invoke(app, [command, str(stages(tmp_path, ["gone", "none"]))])
    assert (2, "", 2) == (done.exit_code, done.stdout, len(done.stderr.splitlines()))


def test_a_component_that_does_not_start_exits_with_1(tmp_path: Path) -> None:
    """The pipeline is fine, its run is not."""
    file = stages(tmp_path, ["hostile"], 'config = "init-trap"')
    assert CliRunner().invoke(app, ["check", str(file)]).exit_code == 0
    done = CliRunner().invoke(app, ["run", str(file), *ends(tmp_path, b"echo 1\n")])
    assert done.exit_code == 1
    assert done.stderr.startswith("airssys-wasm: Instantiation failed: ")


def test_debug_lets_the_error_through(tmp_path: Path) -> None:
    """With its traceback."""
    for command in ("run", "check"):
        done = CliRunner().invoke(app, [command, "--debug", str(tmp_path / "gone.toml")])
        assert isinstance(done.exception, PipelineInvalid)
