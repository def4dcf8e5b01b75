"""`airssys-wasm run`: streams, summary, exit codes, signals."""

import io
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

from rich.console import Console

from airssys_wasm.cli.run_view import ProgressView
from airssys_wasm.core.observations import Compilation
from airssys_wasm.system.pipeline_summary import Progress
from tests.cli.commands import ROOT, airssys, stages, start


def lines_of(stream: IO[bytes] | None) -> IO[bytes]:
    """A pipe of a program that was started with one."""
    assert stream is not None
    return stream


def test_lines_go_through_and_the_summary_does_not_mix_with_them(tmp_path: Path) -> None:
    """Results on stdout, everything else on stderr, no progress bar into a pipe."""
    done = airssys("run", stages(tmp_path, ["echo", "echo"]), stdin=b"a\n\nb")
    assert (0, b"a\n\nb\n") == (done.returncode, done.stdout)
    text = done.stderr.decode()
    assert "3 messages in" in text
    assert "3 results, 0 errors, 0 lost, 0 restarts" in text
    assert [["x/0", "3", "3", "0", "0"], ["x/1", "3", "3", "0", "0"]] == [
        line.split()[:5] for line in text.splitlines() if line.strip().startswith("x/")
    ]
    assert "\x1b" not in text


def test_the_example_runs_as_the_readme_says() -> None:
    """One report; the sample log has no malformed line."""
    done = airssys("run", "examples/logs/pipeline.toml", "--input", "examples/logs/access.log")
    assert (0, 1) == (done.returncode, done.stdout.count(b'"paths"'))


def test_the_example_with_topics_gives_redacted_requests_and_then_the_same_report() -> None:
    """Both subscribers of the redacted requests get all of them; nothing in the file has no effect."""
    log = "examples/logs/access.log"
    plain = airssys("run", "examples/logs/pipeline.toml", "--input", log)
    done = airssys("run", "examples/logs/topics.toml", "--input", log)
    assert (0, True) == (done.returncode, done.stdout.endswith(b"}\n" + plain.stdout))
    requests = done.stdout.removesuffix(plain.stdout).splitlines()
    assert len((ROOT / log).read_bytes().splitlines()) == len(requests)
    assert all(line.startswith(b'{"host"') for line in requests)
    checked = airssys("check", "examples/logs/topics.toml")
    assert (0, b"") == (checked.returncode, checked.stderr)


def test_input_and_output_take_the_place_of_the_streams(tmp_path: Path) -> None:
    """Paths are relative to the working directory, not to the file."""
    (tmp_path / "in").write_bytes(b"x\ny\n")
    done = airssys("run", stages(tmp_path, ["counter"]), "--input", tmp_path / "in", "--output", tmp_path / "out")
    assert (0, b"", b"1\n2\n") == (done.returncode, done.stdout, (tmp_path / "out").read_bytes())


def test_a_run_with_errors_exits_with_1_and_shows_some(tmp_path: Path) -> None:
    """What went well is written all the same."""
    done = airssys("run", stages(tmp_path, ["hostile"]), stdin=b"echo 1\nerr timeout\ntrap\necho 2\n")
    assert (1, b"1\n2\n") == (done.returncode, done.stdout)
    assert b"airssys-wasm: error: x/0/0: timeout\n" in done.stderr
    assert b"2 results, 2 errors, 0 lost, 1 restarts" in done.stderr


def test_a_pipeline_that_is_wrong_exits_with_2_and_one_line_for_each_mistake(tmp_path: Path) -> None:
    """No traceback."""
    file = stages(tmp_path, ["echo", "gone"], "instances = 0")
    done = airssys("run", file)
    assert (2, b"") == (done.returncode, done.stdout)
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 3
    assert all(line.startswith("airssys-wasm: stages.toml: [[component]] x/") for line in lines)


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    """For whoever looks for a mistake in this program."""
    done = airssys("run", "--debug", tmp_path / "gone.toml")
    assert done.returncode != 0
    assert b"Traceback" in done.stderr
    assert b"PipelineInvalid" in done.stderr


def test_a_broken_pipe_ends_the_run_with_1(tmp_path: Path) -> None:
    """As for `airssys-wasm run … | head`: one line, no traceback."""
    with start("run", stages(tmp_path, ["echo"])) as program:
        lines_of(program.stdout).close()
        _, said = program.communicate(b"x\n" * 100_000, timeout=50)
    assert program.returncode == 1
    assert b"airssys-wasm: cannot write stdout: Broken pipe\n" in said
    assert b"Traceback" not in said


def test_a_full_disk_ends_the_run_with_1(tmp_path: Path) -> None:
    """One line that says so."""
    done = airssys("run", stages(tmp_path, ["echo"]), "-o", "/dev/full", stdin=b"x\n")
    assert (1, True) == (done.returncode, b"cannot write /dev/full: No space left on device" in done.stderr)


def test_a_signal_drains(tmp_path: Path) -> None:
    """What was read is finished though stdin is still open, and the exit code says that all went well."""
    for number in (signal.SIGINT, signal.SIGTERM):
        with start("run", stages(tmp_path, ["echo"])) as program:
            lines_of(program.stdin).write(b"1\n2\nunfinis")
            assert [b"1\n", b"2\n"] == [lines_of(program.stdout).readline() for _ in range(2)]
            program.send_signal(number)
            assert number.name.encode() in lines_of(program.stderr).readline()
            rest, said = program.communicate(timeout=50)
        assert (0, b"") == (program.returncode, rest)
        assert b"(stopped early)" in said


def test_a_second_signal_kills(tmp_path: Path) -> None:
    """A guest that does not come to an end holds nothing up."""
    with start("run", stages(tmp_path, ["hostile"])) as program:
        lines_of(program.stdin).write(b"echo up\nsleep-loop 1000\n")
        assert lines_of(program.stdout).readline() == b"up\n"
        program.send_signal(signal.SIGINT)
        assert b"once more to kill" in lines_of(program.stderr).readline()
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=20)
    assert program.returncode == -signal.SIGINT


def test_lines_come_out_while_input_is_still_open(tmp_path: Path) -> None:
    """A pipeline behind `tail -f` is of use."""
    with start("run", stages(tmp_path, ["echo", "counter"])) as program:
        for number in range(1, 4):
            lines_of(program.stdin).write(b"x\n")
            assert lines_of(program.stdout).readline() == b"%d\n" % number
        program.communicate(timeout=50)
    assert program.returncode == 0


def test_without_the_extra_one_line_says_how_to_get_it() -> None:
    """Exit code 2, no traceback."""
    hide = "import sys; sys.modules['typer'] = None; from airssys_wasm.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", hide], capture_output=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert done.stderr.decode().splitlines() == [
        "airssys-wasm: typer is missing; install the command line: pip install 'airssys-wasm[cli]'"
    ]


def test_the_progress_bar_shows_how_far_it_is() -> None:
    """On a terminal."""
    screen = io.StringIO()
    with ProgressView(Console(file=screen, force_terminal=True, width=120)) as view:
        view.show(Progress(messages=1234, bytes_read=500_000, total_bytes=1_000_000, errors=5))
    assert "1,234 messages, 5 errors" in screen.getvalue()
    assert "0.5/1.0 MB" in screen.getvalue()


def test_the_progress_bar_names_what_is_compiled() -> None:
    """With its size and how long that takes so far."""
    screen, compiling = io.StringIO(), (Compilation("/somewhere/large.wasm", 18_300_000, 12.4),)
    with ProgressView(Console(file=screen, force_terminal=True, width=120)) as view:
        view.show(Progress(compiling=compiling))
    assert "compiling large.wasm, 18.3 MB, 12 s" in screen.getvalue()
