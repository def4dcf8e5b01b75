"""`airssys-wasm bench`: options, tables, JSON, comparison, exit codes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from airssys_wasm.cli.app import app
from tests.cli.commands import GUESTS, airssys, stages

ECHO = str(GUESTS / "echo.wasm")
SHORT = ["--warm-up", "0.02", "--duration", "0.2"]


def bench(*arguments: str | Path) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, ["bench", *map(str, arguments)])


def test_a_component_is_measured_written_and_compared(tmp_path: Path) -> None:
    """The tables have a line for each size; of two results the ratios are shown."""
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    done = bench(ECHO, *SHORT, "-s", "0", "-s", "100", "--json", first)
    assert 0 == done.exit_code, done.output
    assert 2 == done.output.count("100 B random, 1 at a time")
    assert ["0 B random, 1 at a time", "100 B random, 1 at a time"] == [
        scenario["name"] for scenario in json.loads(first.read_text())["scenarios"]
    ]
    done = bench(ECHO, *SHORT, "-s", "100", "--json", second, "--compare", first)
    assert (0, True) == (done.exit_code, "after : before" in done.output), done.output
    done = bench(second, "--compare", first)
    assert (0, True) == (done.exit_code, "only in one of them: 0 B random" in done.output), done.output


def test_a_pipeline_in_an_open_loop_with_lines(tmp_path: Path) -> None:
    """Each stage has a line of its own."""
    (tmp_path / "lines").write_bytes(b"one\ntwo\n")
    file = stages(tmp_path, ["echo", "echo"])
    done = bench(file, *SHORT, "--rate", "200", "--arrivals", "poisson", "-c", "4", "--input", tmp_path / "lines")
    assert 0 == done.exit_code, done.output
    assert all(f" {stage} " in done.output for stage in ("x/0", "x/1"))
    assert "lines, 200/s" in done.output


def test_uvloop_is_named_in_the_result(tmp_path: Path) -> None:
    """What figures were taken on is in them."""
    done = airssys("bench", ECHO, *SHORT, "--uvloop", "--json", tmp_path / "u.json")
    assert (0, "uvloop") == (done.returncode, json.loads((tmp_path / "u.json").read_text())["machine"]["loop"])


def test_messages_that_failed_make_it_exit_with_1() -> None:
    """And are shown by what they ended in."""
    done = bench(str(GUESTS / "callback.wasm"), *SHORT)
    assert (1, True) == (done.exit_code, "ended in GuestError runtime-error" in done.output)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["gone.wasm"], "gone.wasm"),
        (["x.txt"], "is none of X.wasm, PIPELINE.toml and RESULT.json"),
        ([ECHO, "--duration", "0"], "duration is not positive"),
        ([ECHO, "-s", "-1"], "sizes"),
        ([ECHO, "--compare", "gone.json"], "gone.json"),
        ([ECHO, "--compare", str(GUESTS / "README.md")], "README.md"),
        ([ECHO, "--input", "/dev/null"], "has no line"),
        ([ECHO, "--json", "/gone/x.json"], "is in no folder that exists"),
        ([ECHO, "--rate", "1e9"], "would be more than 10000000 messages"),
        ([ECHO, "-s", "300000000"], "are over 67108864 bytes"),
    ],
)
def test_input_that_is_wrong_exits_with_2_and_one_line(arguments: list[str], problem: str) -> None:
    """Nothing was measured."""
    done = bench(*arguments)
    assert 2 == done.exit_code
    assert problem in done.stderr
    assert 1 == len(done.stderr.strip().splitlines())
