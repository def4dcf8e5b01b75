"""Guests that import WASI: an empty world, a thread for each call, and no way to hold anything up."""

import asyncio
import logging
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from airssys_wasm.core.config import Execution
from airssys_wasm.core.errors import DeadlineExceeded, Interrupted, TooManyThreads, Trap
from airssys_wasm.core.limits import Limits
from airssys_wasm.runtime import blocking
from airssys_wasm.runtime.engine import WasmtimeEngine
from tests.runtime.guests import GUEST, Start, ask, binary

SOON = 5.0
BRIEF = Limits(max_execution_time=0.3)
EXIT = """
    import asyncio, time
    from airssys_wasm.core.errors import DeadlineExceeded
    from airssys_wasm.core.limits import Limits
    from airssys_wasm.core.config import ComponentConfig
    from airssys_wasm.core.ports import HostState
    from airssys_wasm.runtime.engine import WasmtimeEngine
    from tests.runtime.guests import GUEST, ask, binary

    async def main():
        async with WasmtimeEngine() as engine:
            limits = Limits(max_execution_time=0.2)
            guest = await engine.start(await engine.compile(binary("wasi"), limits), HostState(GUEST, limits))
            await guest.initialize(ComponentConfig())
            try:
                await ask(guest, b"sleep 60000")
            except DeadlineExceeded:
                print("stopped", engine.abandoned_threads, flush=True)
            await guest.aclose()

    asyncio.run(main())
    print("left", flush=True)
"""


def wasi_threads() -> set[str]:
    """The names of the threads that guests are blocked in."""
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("airssys-wasi")}


async def all_back(engine: WasmtimeEngine) -> bool:
    """Wait until no thread is abandoned any more."""
    for _ in range(500):
        if not (engine.abandoned_threads or wasi_threads()):
            return True
        await asyncio.sleep(0.01)
    return False


@pytest.mark.parametrize("execution", list(Execution))
async def test_a_guest_of_wasi_answers(start: Start, execution: Execution) -> None:
    """Small and large payloads, in whatever lane it was meant to run."""
    guest = await start("wasi", execution=execution)
    for payload in (b"", b"hello", bytes(range(256)) * 300):
        assert payload == await ask(guest, payload)


async def test_its_sleep_blocks_a_thread_and_not_the_loop(start: Start) -> None:
    """Twenty sleep at the same time, and the loop goes round."""
    guests = [await start("wasi") for _ in range(20)]
    before, turns = time.monotonic(), 0
    asking = [asyncio.create_task(ask(guest, b"sleep 100")) for guest in guests]
    while (await asyncio.wait(asking, timeout=0.005))[1]:
        turns += 1
    assert [b"ok"] * 20 == [task.result() for task in asking]
    assert 0.1 <= time.monotonic() - before < 20 * 0.1
    assert turns > 3


async def test_what_it_prints_goes_to_the_log(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """Line by line, with its id and the stream, escaped; what has no end of line comes when it is closed."""
    guest = await start("wasi")
    with caplog.at_level(logging.INFO, "airssys_wasm.guest"):
        await ask(guest, b"print first\nsecond \x1b[2J")
        await ask(guest, b"eprint wrong")
        await guest.aclose()
    records = [record for record in caplog.records if record.name == "airssys_wasm.guest"]
    expected = [
        (logging.INFO, "demo/guest/0: first stream=stdout"),
        (logging.INFO, r"demo/guest/0: second \x1b[2J stream=stdout"),
        (logging.WARNING, "demo/guest/0: wrong stream=stderr"),
    ]
    assert expected == [(record.levelno, record.message) for record in records]


async def test_a_flood_of_output_is_bounded(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """A line without an end is cut into pieces, and the rate holds for streams too."""
    guest = await start("wasi")
    with caplog.at_level(logging.INFO, "airssys_wasm.guest"):
        await ask(guest, b"print " + b"x" * 100_000)
        await ask(guest, b"print " + b"y\n" * 50_000)
        await guest.aclose()
    lines = [record.message for record in caplog.records if record.name == "airssys_wasm.guest"]
    assert len(lines) < 2000
    assert max(map(len, lines)) < 5000


async def test_a_trap_of_its_own_is_a_trap(start: Start) -> None:
    """As of any guest."""
    guest = await start("wasi")
    with pytest.raises(Trap) as caught:
        await ask(guest, b"trap")
    assert "unreachable" == caught.value.code


async def test_a_sleep_past_the_deadline_is_abandoned_and_freed_later(
    engine: WasmtimeEngine, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Counted and named in the log; the loop does not wait for it, and when it comes back it frees itself."""
    guest = await start("wasi", limits=BRIEF)
    before = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await ask(guest, b"sleep 1500")
    assert time.monotonic() - before < 1.4
    assert 1 == engine.abandoned_threads
    assert "demo/guest/0 blocks in WASI beyond its end; thread airssys-wasi-" in caplog.text
    await guest.aclose()
    assert 1 == engine.live_stores
    assert await all_back(engine)
    assert 0 == engine.live_stores


@pytest.mark.parametrize("how", ["interrupt", "cancel", "cancel twice", "close"])
async def test_a_sleep_is_left_however_its_call_ends(engine: WasmtimeEngine, start: Start, how: str) -> None:
    """At once; a second cancellation does not free what a thread is in."""
    guest = await start("wasi")
    call = asyncio.create_task(ask(guest, b"sleep 1000"))
    await asyncio.sleep(0.05)
    before = time.monotonic()
    if how == "interrupt":
        guest.interrupt()
    elif how == "close":
        await guest.aclose()
    else:
        call.cancel()
        await asyncio.sleep(0.005)
        if how == "cancel twice":
            call.cancel()
    await asyncio.wait([call])
    assert time.monotonic() - before < 0.9
    assert 1 == engine.abandoned_threads
    assert call.cancelled() or isinstance(call.exception(), Interrupted)
    assert await all_back(engine)


async def test_an_abandoned_guest_outlives_its_engine_and_leaves_nothing() -> None:
    """Closing does not wait for it; its thread frees it without a new one."""
    async with WasmtimeEngine() as engine:
        handle = await engine.load_component(GUEST, binary("wasi"))
        guest = engine._loaded[handle].guest
        call = asyncio.create_task(ask(guest, b"sleep 1000"))
        await asyncio.sleep(0.05)
        call.cancel()
        await asyncio.wait([call])
        before = time.monotonic()
    assert time.monotonic() - before < 0.9
    assert await all_back(engine)
    assert 0 == engine.live_stores
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("airssys")]


async def test_threads_for_blocking_guests_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call beyond the cap waits for its turn, within its deadline."""
    monkeypatch.setattr(blocking.BlockingThreads.__init__, "__defaults__", (2,))
    async with WasmtimeEngine() as engine:
        handles = [await engine.load_component(GUEST, binary("wasi")) for _ in range(6)]
        guests = [engine._loaded[handle].guest for handle in handles]
        before = time.monotonic()
        asking = asyncio.gather(*[ask(guest, b"sleep 100") for guest in guests])
        await asyncio.sleep(0.05)
        assert 2 == len(wasi_threads())
        assert [b"ok"] * 6 == await asking
        assert time.monotonic() - before >= 0.3


async def test_when_too_many_are_stuck_no_more_are_taken(
    engine: WasmtimeEngine, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each holds a stack and a Store; the guest that was refused is as good as before."""
    monkeypatch.setattr(blocking, "MAX_ABANDONED_THREADS", 2)
    patient = await start("wasi")
    for _ in range(2):
        guest = await start("wasi", limits=BRIEF)
        with pytest.raises(DeadlineExceeded):
            await ask(guest, b"sleep 1500")
    with pytest.raises(TooManyThreads, match="2 abandoned threads"):
        await ask(patient, b"hello")
    assert await all_back(engine)
    assert b"hello" == await ask(patient, b"hello")


def test_the_interpreter_exits_while_a_guest_is_blocked() -> None:
    """A minute's sleep holds nothing up."""
    before = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(EXIT)], capture_output=True, text=True, check=False, timeout=50
    )
    assert (0, "stopped 1\nleft\n") == (ran.returncode, ran.stdout), ran.stderr
    assert time.monotonic() - before < 30
