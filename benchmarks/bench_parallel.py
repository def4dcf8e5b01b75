"""Do two guests that compute use two cores? Beside one guest, and two processes with one guest each as control.

`python -m benchmarks.bench_parallel --alone ROUNDS` is one such process: it says when it is ready, waits for a line,
and tells how long it took.
"""

import asyncio
import statistics
import subprocess
import sys
import time

from airssys_wasm import ActorHandle, ActorSystem, ComponentId
from benchmarks.harness import GUESTS, QUICK, Target, run_main, show, table, tell

SECONDS = 0.2 if QUICK else 1.5
ROUNDS = 1 if QUICK else 5


async def spin(hogs: list[ActorHandle], rounds: int) -> float:
    """Have all of them compute at the same time; the seconds until the last one is done."""
    started = time.perf_counter()
    await asyncio.gather(*(hog.ask(b"spin %d" % rounds, timeout=None) for hog in hogs))
    return time.perf_counter() - started


async def load(system: ActorSystem, count: int) -> list[ActorHandle]:
    """So many guests, past their first calls."""
    compiled = await system.compile(GUESTS / "hostile.wasm")
    hogs = [await system.load(ComponentId("bench", "hog", str(at)), compiled) for at in range(count)]
    for hog in hogs:
        await hog.ask(b"spin 1000")
    return hogs


async def rounds_for(hog: ActorHandle) -> int:
    """How many rounds of arithmetic fill the time."""
    tried = 10_000_000
    return int(tried * SECONDS / await spin([hog], tried))


async def alone(rounds: int) -> None:
    """One process of the control."""
    async with ActorSystem() as system:
        hogs = await load(system, 1)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        sys.stdout.write(f"{await spin(hogs, rounds)}\n")


def processes(count: int, rounds: int) -> float:
    """The control: the slowest of so many processes that begin at the same time."""
    command = [sys.executable, "-m", "benchmarks.bench_parallel", "--alone", str(rounds)]
    pipe = subprocess.PIPE
    started = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(count)]
    for process in started:
        assert process.stdout
        process.stdout.readline()
    for process in started:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    return max(float(process.communicate()[0]) for process in started)


async def main() -> None:
    """Run, print the tables, write the JSON."""
    if "--alone" in sys.argv:
        await alone(int(sys.argv[sys.argv.index("--alone") + 1]))
        return
    gains: dict[str, list[float]] = {"guests": [], "processes": []}
    async with ActorSystem() as system:
        hogs = await load(system, 2)
        rounds = await rounds_for(hogs[0])
        for _ in range(ROUNDS):
            one, both = await spin(hogs[:1], rounds), await spin(hogs, rounds)
            gains["guests"].append(2 * one / both)
            single = await asyncio.to_thread(processes, 1, rounds)
            gains["processes"].append(2 * single / await asyncio.to_thread(processes, 2, rounds))
    median = {name: statistics.median(taken) for name, taken in gains.items()}
    show(table(("two of them", "times the work of one"), list(median.items())))
    question = "two guests that compute, times one"
    tell(
        "parallel",
        gains,
        [Target(question, "two processes, times one", median["guests"] / median["processes"], 0.85, at_most=False)],
    )


if __name__ == "__main__":
    run_main(main)
