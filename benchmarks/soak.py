"""Is anything ever lost in silence? A seeded storm of messages and faults, and a ledger that has to balance.

    python -m benchmarks.soak --messages 1000000 --seed 7

Hundreds of actors get asks, tells, sends, requests, broadcasts and publications, among them traps, endless loops,
memory bombs, failing host functions and storage, cancellations, restarts, upgrades, unloads, revoked grants and full
mailboxes; some sleep whenever nobody needs them for a moment, some are asked for their health, some are linked.
Plugins get typed calls, and call host functions that answer, raise, block a thread, take too long, are cancelled.
At the end: every ask and every call ended once; each message sent was handled, or is one dead letter; each request that
was accepted had one callback, or its instance ended; the order of each sender was kept; the system's own counters
agree with that and with its events, and these with what monitors of each component were told; no task, thread, Store or
file is left. The seed reproduces what is done, not how it interleaves; `tests/journeys/chaos.py` does both, on scripted
guests.

| file | what is in it |
|---|---|
| soak_plan.py | what is done, as data |
| soak_driver.py, soak_loads.py | who does it, and what there is to do it with |
| soak_host.py | the engine with somebody in between who writes down and breaks things |
| soak_ledger.py, soak_calls.py, soak_watch.py | what became of each message, of each call; what was told of it |
| soak_states.py | what a component waits for, should it hang |
"""

import argparse
import asyncio
import contextlib
import faulthandler
import gc
import logging
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from airssys_wasm import ActorSystem, DeadLetter, DeadLetterReason, SystemStatistics, WasmtimeEngine
from airssys_wasm.system.events import Stream
from airssys_wasm.testing.leaks import Snapshot, left_behind, resident_bytes
from benchmarks.harness import show
from benchmarks.soak_calls import Kv
from benchmarks.soak_driver import Driver
from benchmarks.soak_host import WatchedHost
from benchmarks.soak_ledger import HANDLED, Ledger
from benchmarks.soak_plan import Plan
from benchmarks.soak_states import states
from benchmarks.soak_watch import Watch

MOST_LETTERS = 1_000_000
"""That the reader of dead letters holds, far more than a burst of them."""

QUARTERS = 4


@attrs.define
class Report:
    """What a soak found: figures, and every broken promise."""

    plan: Plan
    seconds: float = 0.0
    sent: int = 0
    ends: Mapping[str, int] = attrs.field(factory=dict)
    outcomes: Mapping[str, int] = attrs.field(factory=dict)
    callbacks: Mapping[str, int] = attrs.field(factory=dict)
    calls: Mapping[str, int] = attrs.field(factory=dict)
    host_functions: Mapping[str, int] = attrs.field(factory=dict)
    events: Mapping[str, int] = attrs.field(factory=dict)
    refused: Mapping[str, int] = attrs.field(factory=dict)
    crashes: int = 0
    restarts: int = 0
    revivals: int = 0
    loads: int = 0
    resident_mib: list[float] = attrs.field(factory=list)
    violations: list[str] = attrs.field(factory=list)


async def soak(plan: Plan, storage: Path, timeout: float) -> Report:
    """Run a plan and check that nothing is missing.

    Args:
        plan: what is done.
        storage: the file of the system's storage.
        timeout: seconds after which it hangs.
    """
    report, ledger, tasks = Report(plan), Ledger(), asyncio.all_tasks()
    report.violations, started = ledger.violations, time.perf_counter()
    engine = WasmtimeEngine()
    system = ActorSystem("soak", storage=storage, host=WatchedHost(engine, ledger), stop_timeout=20.0)
    driver = Driver(system, plan, ledger, Watch(violations=ledger.violations, system=system))
    letters = system._observatory.dead_letters.open(MOST_LETTERS)
    alarm = asyncio.get_running_loop().call_later(timeout, _show_hang, system)
    try:
        async with asyncio.timeout(timeout), system:
            await driver.start()
            await driver.run(lambda: _progress(report, driver, letters))
    except TimeoutError:
        ledger.violate(f"it hangs: {len(ledger.open)} messages are open, {list(ledger.open.items())[:5]}")
    alarm.cancel()
    await engine.aclose()
    await _threads_return(ledger.calls.kv, engine)
    _read(ledger, letters)
    driver.watch.read()
    report.seconds = time.perf_counter() - started
    _check_messages(ledger)
    _check_counters(ledger, driver, system.statistics())
    _check_callbacks(ledger, system._parts().router.requests.dropped)
    ledger.calls.check()
    driver.watch.check(driver.loads.counts, driver.loads.total)
    if engine.live_stores or engine.abandoned_threads:
        ledger.violate(f"left: {engine.live_stores} Stores, {engine.abandoned_threads} abandoned threads")
    await asyncio.sleep(0)
    if left := asyncio.all_tasks() - tasks:
        ledger.violate(f"left: {len(left)} tasks, {list(left)[:5]}")
    return _filled(report, ledger, driver)


def _show_hang(system: ActorSystem) -> None:
    """Say where it hangs, and what of."""
    for task in asyncio.all_tasks():
        task.print_stack()
    for state in states(system):
        show(state)


def _progress(report: Report, driver: Driver, letters: Stream[DeadLetter]) -> None:
    """Read what has happened and died, and note the memory at each quarter of the way."""
    ledger = driver.ledger
    driver.watch.read()
    _read(ledger, letters)
    if ledger.sent_count * QUARTERS >= report.plan.messages * (len(report.resident_mib) + 1):
        driver.loads.total("handled")
        gc.collect()
        report.resident_mib.append(round(resident_bytes() / 2**20, 1))


async def _threads_return(kv: Kv, engine: WasmtimeEngine) -> None:
    """Host functions that blocked a thread for longer than their calls were let."""
    for _ in range(100):
        if kv.under_way or engine.abandoned_threads:
            await asyncio.sleep(0.05)


def _read(ledger: Ledger, letters: Stream[DeadLetter]) -> None:
    while (letter := letters.get_nowait()) is not None:
        ledger.dead_letter(letter)


def _check_messages(ledger: Ledger) -> None:
    """Everything sent has ended; what is cut may never have been sent."""
    cut = [key for key, entry in ledger.open.items() if entry.cut and not entry.delivered]
    for key in cut:
        del ledger.open[key]
    ledger.sent_count -= len(cut)
    for key, entry in list(ledger.open.items())[:10]:
        ledger.violate(f"{key} is open: {entry}")
    if ledger.sent_count != ledger.ends.total():
        ledger.violate(f"{ledger.sent_count} messages were sent, {ledger.ends.total()} ended")
    if ledger.asks_begun != ledger.outcomes.total():
        ledger.violate(f"{ledger.asks_begun} asks began, {ledger.outcomes.total()} ended")


def _check_counters(ledger: Ledger, driver: Driver, statistics: SystemStatistics) -> None:
    """The system's own statistics say the same."""
    callbacks, total = ledger.callbacks, driver.loads.total
    lost = sum(count for name, count in callbacks.items() if name.startswith("lost: "))
    calls = ledger.calls
    expected = {
        "handled": ledger.ends["ok"] + callbacks["ok"] + calls.ends["ok"],
        "guest_errors": ledger.ends["err"] + callbacks["err"] + callbacks["shutdown-err"] + calls.ends["err"],
        "dead letters": sum(count for end, count in ledger.ends.items() if end not in HANDLED)
        + lost
        + calls.letters.total(),
        "dropped letters": 0,
    }
    actual = {
        "handled": total("handled"),
        "guest_errors": total("guest_errors"),
        "dead letters": sum(statistics.dead_letters.values()),
        "dropped letters": statistics.dropped_dead_letters,
    }
    if expected != actual:
        ledger.violate(f"the system counts {actual}, the ledger {expected}")
    for reason in DeadLetterReason:
        noted = ledger.ends[str(reason)] + callbacks[f"lost: {reason}"] + calls.letters[str(reason)]
        if noted != statistics.dead_letters[reason]:
            ledger.violate(f"{reason}: the system counts {statistics.dead_letters[reason]}, the ledger {noted}")


def _check_callbacks(ledger: Ledger, dropped: int) -> None:
    """What was owed was delivered, lost as a dead letter, or dropped with the instance that it was owed to."""
    callbacks = ledger.callbacks
    ledger.callbacks["dropped"] = dropped
    if len(ledger.requests) != dropped:
        never = len(ledger.requests)
        ledger.violate(f"{never} callbacks never came, {dropped} were dropped with their instance; {callbacks}")


def _filled(report: Report, ledger: Ledger, driver: Driver) -> Report:
    total = driver.loads.total
    return attrs.evolve(
        report,
        sent=ledger.sent_count,
        ends=dict(ledger.ends.most_common()),
        outcomes=dict(ledger.outcomes.most_common()),
        callbacks=dict(ledger.callbacks.most_common()),
        calls=dict(ledger.calls.outcomes.most_common()),
        host_functions=dict(ledger.calls.kv.counts.most_common()),
        events={str(kind): count for kind, count in driver.watch.events.most_common()},
        refused=driver.trouble,
        crashes=total("crashes"),
        restarts=total("restarts"),
        revivals=total("revivals"),
        loads=driver.loads.counts.total(),
    )


@contextlib.contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """A storm is no news; afterwards the loggers speak as before."""
    loggers = {logging.getLogger(name): logging.getLogger(name).level for name in names}
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in loggers.items():
            logger.setLevel(level)


def run(plan: Plan, timeout: float = 3600.0) -> Report:
    """Run a plan in a loop of its own, and look for threads and files afterwards."""
    before = Snapshot.take()
    with _quiet("airssys_wasm.guest", "airssys_wasm"), tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(soak(plan, Path(folder) / "storage.db", timeout))
    if left := left_behind(before):
        report.violations.append(f"left: {left}")
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--actors", type=int, default=200)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--timeout", type=float, default=3600.0, help="seconds after which it hangs")
    options = parser.parse_args()
    show(f"seed {options.seed}")
    faulthandler.dump_traceback_later(options.timeout + 60, exit=True)
    report = run(Plan(options.seed, options.messages, options.actors, options.workers), options.timeout)
    faulthandler.cancel_dump_traceback_later()
    for name, value in attrs.asdict(report, recurse=False).items():
        show(f"{name:>14}: {value}" if name != "violations" else "")
    show("\n".join(report.violations) or "everything balances")
    return bool(report.violations)


if __name__ == "__main__":
    sys.exit(main())
