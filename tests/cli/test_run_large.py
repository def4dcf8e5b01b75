"""`airssys-wasm run` over a large log: right by an independent count, and no larger in memory than over a small one."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cli.commands import PROGRAM, ROOT

LOGS: Final = ROOT / "examples" / "logs"
KIB: Final = 1024


def generated(lines: int) -> bytes:
    """A log of so many lines, one in fifty of them malformed."""
    return subprocess.run([sys.executable, LOGS / "generate.py", str(lines)], check=True, capture_output=True).stdout


def counted(log: bytes) -> tuple[dict[str, Any], int]:
    """The report, and the number of malformed lines, from a program that shares nothing with the pipeline."""
    spec = importlib.util.spec_from_file_location("expected", LOGS / "expected.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    report: tuple[dict[str, Any], int] = module.expected(log.split(b"\n")[:-1])
    return report


def run(folder: Path, log: bytes) -> tuple[dict[str, Any], str, int]:
    """The report of the pipeline, what it said, and its peak memory in bytes."""
    (folder / "access.log").write_bytes(log)
    ends = ("--input", folder / "access.log", "--output", folder / "report.json")
    with (folder / "said").open("wb") as said:
        program = subprocess.Popen([*PROGRAM, "run", LOGS / "pipeline.toml", *ends], cwd=ROOT, stderr=said)
        _, status, usage = os.wait4(program.pid, 0)
        program.returncode = os.waitstatus_to_exitcode(status)
    report = json.loads((folder / "report.json").read_bytes())
    return report, (folder / "said").read_text(), usage.ru_maxrss * KIB


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_hundred_thousand_lines_are_counted_right_in_the_memory_of_a_thousand(tmp_path: Path) -> None:
    """18 MB through three components, one of which keeps a table of a bounded size."""
    log = generated(100_000)
    report, said, peak = run(tmp_path, log)
    expected, malformed = counted(log)
    assert expected == report
    assert f"1 results, {malformed:,} errors, 0 lost, 0 restarts" in said
    _, _, small_peak = run(tmp_path, generated(1000))
    assert peak - small_peak < 16 * KIB * KIB
