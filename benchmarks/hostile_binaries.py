"""Does any binary bring the process down? Thousands of broken and invented components, each lived to its end.

    python -m benchmarks.hostile_binaries --count 10000 --seed 7

| kind | how it is made |
|---|---|
| bytes | bytes of a component changed, cut out, doubled, moved |
| sections | the same within one section, so that small ones get their share |
| mutate | its core module through `wasm-tools mutate`: stays valid, does something else |
| smith | its core module replaced by one of `wasm-tools smith` with the same imports and exports |

Each goes through check, load and calls, in a process of its own kind: one that aborts, or hangs, is named, and its
binary is kept. Only errors of this package's tree may come out, and nothing may be left. The last two kinds need
`wasm-tools` and are left out without it.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import attrs

from airssys_wasm import (
    ActorHandle,
    ActorStopped,
    ActorSystem,
    AirssysError,
    Capabilities,
    ComponentCrashed,
    ComponentId,
    InstantiationFailed,
    Limits,
    WasmtimeEngine,
)
from airssys_wasm.core.limits import MIB
from airssys_wasm.runtime.compiled import CompiledComponent
from airssys_wasm.testing.leaks import Snapshot, left_behind
from benchmarks.harness import show, table
from benchmarks.hostile_mutants import SEEDS, made, wasm_tools

KINDS = ("bytes", "sections", "mutate", "smith")
CONTROL = "control"
"""No binary: the process aborts, so that one sees it being noticed."""

LANES = ("auto", "loop", "thread")
LIMITS = Limits(max_execution_time=0.1, max_memory_bytes=8 * MIB, table_elements=1000)
PAYLOADS = (b"echo x", b"", b"huge 5000", b"self-id", b"storage-set k v", b"demo|guest|0|x", bytes(range(256)) * 8)
GUEST = ComponentId("demo", "guest", "0")
HANGS_AFTER = 60.0
"""Seconds without an outcome: every call has a deadline of a fraction of a second."""

FINE = {"check", "load", "call", "end", "no such mutant"}


@attrs.frozen
class Outcome:
    """What became of one binary: how far it got, and what is wrong with that, if anything."""

    name: str
    kind: str
    stage: str
    problem: str = ""


async def live(system: ActorSystem, data: bytes, execution: str) -> tuple[str, str]:
    """A component's whole life; how far it got, and an error that is none of ours."""
    stage = "check"
    try:
        compiled = await system.compile(data)
        stage = "load"
        handle = await _loaded(system, compiled, execution)
        stage = "call"
        for payload in PAYLOADS:
            handle = await _called(system, handle, payload, compiled, execution)
        await system.unload(handle)
    except AirssysError as exc:
        if stage == "check":
            await _looked_at(system, data)
        return stage, _untyped(exc)
    return "end", ""


async def _looked_at(system: ActorSystem, data: bytes) -> None:
    """What does not compile or fit does not fit when it is inspected either."""
    with contextlib.suppress(AirssysError):
        assert not (await system.inspect(data)).fits


async def _loaded(system: ActorSystem, compiled: CompiledComponent, execution: str) -> ActorHandle:
    return await system.load(
        GUEST,
        compiled,
        capabilities=Capabilities(send=("*",), storage=("read", "write")),
        limits=LIMITS,
        restart="temporary",
        execution=execution,
        inherit_storage=True,
    )


async def _called(
    system: ActorSystem, handle: ActorHandle, payload: bytes, compiled: CompiledComponent, execution: str
) -> ActorHandle:
    """Have a payload handled; one that it crashes on costs it its life, and there is another."""
    try:
        await handle.ask(payload, timeout=10.0)
    except (ComponentCrashed, ActorStopped) as exc:
        if problem := _untyped(exc):
            raise ExceptionGroup(problem, [exc]) from exc
        await handle.wait_stopped()
        return await _loaded(system, compiled, execution)
    except AirssysError:
        pass
    return handle


def _untyped(exc: AirssysError) -> str:
    """The error behind an error, when that is no case of ours."""
    cause = exc.__cause__ if isinstance(exc, ComponentCrashed | InstantiationFailed) else None
    return "" if cause is None or isinstance(cause, AirssysError) else f"{type(exc).__name__} from {cause!r}"


@attrs.frozen
class Share:
    """Every `step`-th hostile component of a seed from `first` on."""

    seed: int
    count: int
    kinds: list[str]
    first: int
    step: int

    def cases(self) -> Iterator[tuple[int, str, str, str]]:
        """Number, name, kind and base of each; the same for the same seed, each on its own."""
        for number in range(self.first, self.count, self.step):
            kind = self.kinds[number % len(self.kinds)]
            base = SEEDS[number // len(self.kinds) % len(SEEDS)]
            yield number, f"{self.seed}-{number}-{kind}-{base}", kind, base


async def work(share: Share, current: Path) -> None:
    """Live through a share and print a line for each; the binary under way is in `current`."""
    tools = wasm_tools()
    async with WasmtimeEngine(cache=None) as engine, ActorSystem(host=engine) as system:
        for number, name, kind, base in share.cases():
            if kind == CONTROL:
                os.abort()
            data = made(kind, base, random.Random(name), tools)
            stage, problem = "no such mutant", ""
            if data is not None:
                await anyio.Path(current).write_bytes(data)
                try:
                    stage, problem = await live(system, data, LANES[number // 20 % len(LANES)])
                except Exception as exc:  # noqa: BLE001 - to be named by the parent
                    stage, problem = "untyped", repr(exc)
                if system.get(GUEST) is not None or engine.live_stores:
                    problem += f" left: {engine.live_stores} Stores"
            print(json.dumps([number, name, kind, stage, problem]), flush=True)


def lived(share: Share, folder: Path) -> Iterator[Outcome]:
    """The outcomes of one worker's share; it is started again behind every binary that brought it down."""
    current = folder / f"current-{share.first}.wasm"
    while under_way := next(share.cases(), None):
        numbers = [str(number) for number in (share.seed, share.count, share.first, share.step)]
        command = [sys.executable, "-m", "benchmarks.hostile_binaries", "--work", *numbers, str(current)]
        popen = subprocess.Popen(
            [*command, "--kinds", *share.kinds], stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent, text=True
        )
        with popen as process:
            for number, *fields in _lines(process):
                yield Outcome(*fields)
                share = attrs.evolve(share, first=number + share.step)
        if process.returncode == 0:
            return
        _, name, kind, _ = next(share.cases(), under_way)
        kept = current.rename(folder / f"{name}.wasm") if current.exists() else ""
        yield Outcome(name, kind, "hang" if process.returncode == -signal.SIGKILL else "abort", str(kept))
        share = attrs.evolve(share, first=share.first + share.step)


def _lines(process: "subprocess.Popen[str]") -> Iterator[list[Any]]:
    """What a worker prints, until it ends; it is killed when nothing comes for too long."""
    assert process.stdout is not None
    while True:
        alarm = threading.Timer(HANGS_AFTER, process.kill)
        alarm.start()
        line = process.stdout.readline()
        alarm.cancel()
        if not line:
            return
        yield json.loads(line)


def run(seed: int, count: int, folder: Path, *, workers: int = 2, kinds: list[str] | None = None) -> list[Outcome]:
    """Live through that many components; binaries that brought a process down are left in the folder."""
    chosen = kinds or [kind for kind in KINDS if kind in {"bytes", "sections"} or wasm_tools()]
    shares = [Share(seed, count, chosen, first, workers) for first in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        return [outcome for part in pool.map(lambda share: list(lived(share, folder)), shares) for outcome in part]


def wrong(outcomes: list[Outcome]) -> list[Outcome]:
    """Those that are not as they should be."""
    return [outcome for outcome in outcomes if outcome.problem or outcome.stage not in FINE]


def main() -> int:
    """Run, print what became of them by kind, and all that is wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kinds", nargs="+", choices=[*KINDS, CONTROL])
    parser.add_argument("--work", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        (seed, count, first, step), current = map(int, options.work[:4]), Path(options.work[4])
        before = Snapshot.take()
        asyncio.run(work(Share(seed, count, options.kinds, first, step), current))
        if left := left_behind(before):
            print(json.dumps([count, "end", "all", "left", str(left)]), flush=True)
        return 0
    folder, started = Path(tempfile.mkdtemp()), time.perf_counter()
    outcomes = run(options.seed, options.count, folder, workers=options.workers, kinds=options.kinds)
    counts = Counter((outcome.kind, outcome.stage) for outcome in outcomes)
    stages = sorted({stage for _, stage in counts})
    rows = [[kind, *[counts[kind, stage] for stage in stages]] for kind in sorted({kind for kind, _ in counts})]
    show(table(["kind", *stages], rows))
    bad = wrong(outcomes)
    show(f"seed {options.seed}: {len(outcomes)} in {time.perf_counter() - started:.0f} s, {len(bad)} wrong, {folder}")
    show("\n".join(map(str, bad[:50])))
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
