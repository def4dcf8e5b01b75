"""Runs every benchmark, each in a process of its own, and puts their answers side by side.

    python -m benchmarks.run_all           some ten minutes on a quiet machine; also renews benchmarks/figures/
    python -m benchmarks.run_all --quick   a minute or two, to see that all run; figures/ is left alone

Each script writes `results/<name>.json`; here they become `results/all.json`, a Markdown table of questions and
targets, and plots.
"""

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import QUICK, RESULTS, Target, bound_of, machine, show, table
from benchmarks.plots import PLOTS

HERE = Path(__file__).parent
FIGURES = HERE / "figures"
MODULES = (
    "ask",
    "round",
    "payload",
    "tell",
    "request",
    "pipeline",
    "hogs",
    "gap",
    "parallel",
    "spawn",
    "restart",
    "upgrade",
    "passivation",
    "many",
    "cold",
)
MOST_SECONDS = 300


def run(name: str) -> dict[str, Any]:
    """One script; what it wrote, or why it did not."""
    began = time.perf_counter()
    result = RESULTS / f"{name}.json"
    with contextlib.suppress(FileNotFoundError):
        result.unlink()
    command = [sys.executable, "-m", f"benchmarks.bench_{name}", *(["--quick"] if QUICK else [])]
    try:
        done = subprocess.run(command, capture_output=True, timeout=MOST_SECONDS, cwd=HERE.parent, check=False)
        said = done.stderr.decode().strip().splitlines()
        problem = (said or [f"exit code {done.returncode}"])[-1] if done.returncode else ""
    except subprocess.TimeoutExpired:
        problem = f"took over {MOST_SECONDS} s"
    found: dict[str, Any] = json.loads(result.read_text()) if result.exists() else {}
    show(f"bench_{name}: {time.perf_counter() - began:.0f} s{f', FAILED: {problem}' if problem else ''}")
    return found | ({"problem": problem} if problem else {})


def targets_of(all_found: dict[str, dict[str, Any]]) -> list[Target]:
    """All questions, in the order of the scripts."""
    kept = [one for found in all_found.values() for one in found.get("targets", ())]
    return [Target(**{name: value for name, value in one.items() if name != "reached"}) for one in kept]


def summary(all_found: dict[str, dict[str, Any]]) -> str:
    """The page: what was asked, what came out, what it was taken on."""
    rows = [
        (t.question, t.peer, f"{t.value:.3g} {t.unit}", bound_of(t), "yes" if t.reached else "**no**")
        for t in targets_of(all_found)
    ]
    took = ", ".join(f"{name} {value}" for name, value in machine().items())
    failed = [f"- bench_{name} failed: {found['problem']}" for name, found in all_found.items() if "problem" in found]
    text = [
        "# Figures",
        f"Taken by `python -m benchmarks.run_all{' --quick` (rough)' if QUICK else '`'} on {took}.",
        "Ratios of medians taken in one run; absolute figures depend on the machine.",
        table(("question", "beside", "figure", "target", "kept"), rows),
        *failed,
    ]
    return "\n\n".join(text) + "\n"


def main() -> int:
    """Run all; 1 when a script failed."""
    RESULTS.mkdir(exist_ok=True)
    all_found = {name: run(name) for name in MODULES if (HERE / f"bench_{name}.py").exists()}
    (RESULTS / "all.json").write_text(json.dumps(all_found, indent=2) + "\n")
    target = RESULTS if QUICK else FIGURES
    target.mkdir(exist_ok=True)
    text = summary(all_found)
    drawn = [name for name, plot in PLOTS.items() if plot(all_found, target / f"{name}.svg")]
    text += "".join(f"\n![{name}]({name}.svg)\n" for name in drawn)
    (target / "README.md").write_text(text)
    show(text)
    show(f"written to {target.relative_to(HERE.parent)}")
    return int(any("problem" in found for found in all_found.values()))


if __name__ == "__main__":
    sys.exit(main())
