"""How soon does a component answer in a new process? With an empty compile cache, and with a filled one.

Each start is a process of its own; times count from the `load` call, imports excluded, to the first answer. The Python
guest is built first if need be (`tests/guests/build_python.py`, needs componentize-py).
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from airssys_wasm import ActorSystem, ComponentId
from benchmarks.harness import GUESTS, QUICK, Target, run_main, show, table, tell

PYTHON_GUEST = GUESTS / "_built" / "python_guest.wasm"
STARTS = 3 if QUICK else 10
TARGET_MS = 50.0


async def start(file: Path) -> None:
    """Load and ask once, and say how long each took."""
    async with ActorSystem() as system:
        began = time.perf_counter()
        handle = await system.load(ComponentId("bench", "cold", "0"), file)
        loaded = time.perf_counter()
        await handle.ask(b"hello", timeout=60)
        answered = time.perf_counter()
    sys.stdout.write(json.dumps({"load_ms": (loaded - began) * 1e3, "answer_ms": (answered - began) * 1e3}) + "\n")


def new_process(file: Path, cache: str) -> dict[str, float]:
    """One start."""
    command = [sys.executable, "-m", "benchmarks.bench_cold", "--start", str(file)]
    environment = os.environ | {"AIRSSYS_WASM_CACHE": cache}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def measure(file: Path) -> dict[str, Any]:
    """One start with an empty cache, then some with what it left there."""
    with tempfile.TemporaryDirectory() as folder:
        cache = str(Path(folder, "cache"))
        first = new_process(file, cache)
        others = [new_process(file, cache) for _ in range(STARTS)]
    return {
        "compiled_answer_ms": first["answer_ms"],
        "cached_load_ms": statistics.median(one["load_ms"] for one in others),
        "cached_answer_ms": statistics.median(one["answer_ms"] for one in others),
        "cached_answer_ms_worst": max(one["answer_ms"] for one in others),
    }


def built_python_guest() -> Path:
    """Build it unless it is there."""
    if not PYTHON_GUEST.exists():
        subprocess.run([sys.executable, GUESTS / "build_python.py"], check=True)
    return PYTHON_GUEST


async def main() -> None:
    """Run, print the tables, write the JSON."""
    if "--start" in sys.argv:
        await start(Path(sys.argv[sys.argv.index("--start") + 1]))
        return
    files = {"echo in C": GUESTS / "echo.wasm", "Python guest": await asyncio.to_thread(built_python_guest)}
    results = {name: await asyncio.to_thread(measure, file) for name, file in files.items()}
    show(table(("", *results["Python guest"]), [(name, *row.values()) for name, row in results.items()]))
    python = results["Python guest"]
    tell(
        "cold",
        results,
        [
            Target("Python guest (18 MB), cached, new process", "-", python["cached_answer_ms"], TARGET_MS, unit="ms"),
            Target(
                "the same, times faster",
                "its compile",
                python["compiled_answer_ms"] / python["cached_answer_ms"],
                1,
                at_most=False,
            ),
        ],
    )


if __name__ == "__main__":
    run_main(main)
