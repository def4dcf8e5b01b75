"""Do the public tests of the component model pass on typed calls?

    python -m benchmarks.component_tests DIRECTORY...

Takes `.wast` files, such as `test/` of WebAssembly/component-model and `tests/misc_testsuite/component-model/` of
bytecodealliance/wasmtime, converts them with `wasm-tools json-from-wast`, and runs every command that it can: makes the
components, calls their functions with values, and compares answers, traps and refusals. A component that another one
imports is linked to it through Python.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs

from airssys_wasm import WasmtimeEngine
from benchmarks.harness import show, table, write
from benchmarks.hostile_mutants import wasm_tools
from benchmarks.wast import Outcome, Script

VERDICTS = ("passed", "failed", "does not fit")


def converted(file: Path, into: Path) -> list[dict[str, Any]]:
    """A file's commands, its binaries written to a directory; raises CalledProcessError where wasm-tools refuses it."""
    program = wasm_tools()
    if program is None:
        sys.exit("wasm-tools is not there; it comes with the dev extra")
    lenient = os.environ | {"WAST_STRICT_COMPONENT_INDICES": "0"}
    command = [program, "json-from-wast", str(file), "--wasm-dir", str(into), "-o", str(into / "commands.json")]
    subprocess.run(command, check=True, capture_output=True, env=lenient)
    commands: list[dict[str, Any]] = json.loads((into / "commands.json").read_text())["commands"]
    return commands


async def run(file: Path, name: str) -> list[Outcome]:
    """All outcomes of one file."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            commands = converted(file, Path(scratch))
        except subprocess.CalledProcessError as exc:
            problem = exc.stderr.decode().partition("\n")[0]
            return [Outcome(name, 0, "file", "does not fit", f"wasm-tools: {problem}")]
        async with WasmtimeEngine(cache=None) as engine:
            return await Script(name, Path(scratch), engine).run(commands)


async def _all(directories: Iterable[Path]) -> list[Outcome]:
    outcomes = []
    for directory in directories:
        for file in sorted(directory.rglob("*.wast")):
            outcomes += await run(file, f"{directory.name}/{file.relative_to(directory)}")
    return outcomes


def report(outcomes: list[Outcome]) -> None:
    """Tables by command and by reason, what failed, and the JSON."""
    counted = Counter((outcome.command, outcome.verdict) for outcome in outcomes)
    commands = sorted({outcome.command for outcome in outcomes})
    rows = [(kind, *(counted[kind, verdict] for verdict in VERDICTS)) for kind in commands]
    totals = ("all", *(sum(int(row[at]) for row in rows) for at in range(1, 4)))
    show(table(("command", *VERDICTS), [*rows, totals]))
    reasons = Counter(outcome.why for outcome in outcomes if outcome.verdict == "does not fit")
    show(table(("does not fit", "commands"), reasons.most_common()))
    for outcome in outcomes:
        if outcome.verdict == "failed":
            show(f"{outcome.file}:{outcome.line} {outcome.command}: {outcome.why}")
    kept = [attrs.asdict(outcome) for outcome in outcomes if outcome.verdict != "passed"]
    results = {"commands": rows, "total": totals, "reasons": reasons, "not_passed": kept}
    show(f"written to {write('component_tests', results)}")


def main() -> None:
    """Run and report; the exit code says whether anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directories", type=Path, nargs="+")
    outcomes = asyncio.run(_all(parser.parse_args().directories))
    report(outcomes)
    sys.exit(any(outcome.verdict == "failed" for outcome in outcomes))


if __name__ == "__main__":
    main()
