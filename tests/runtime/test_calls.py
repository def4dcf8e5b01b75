"""Guest calls in each lane: deadlines, interruption, cancellation, and the loop beside them."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator

import pytest

from airssys_wasm.core.config import Execution
from airssys_wasm.core.errors import DeadlineExceeded, ExecutionError, Interrupted, Trap
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.store import GuestStore
from airssys_wasm.testing.leaks import live_instances
from tests.runtime.guests import GUEST, Start, ask, binary, said

LANES = pytest.mark.parametrize("execution", list(Execution))
NEVER_ENDING = ["loop", "sleep 60000", "sleep-loop 1", "log-flood 1000000000"]
BUSY = pytest.mark.parametrize("command", [*NEVER_ENDING, "fill 60"])
SOON = 5.0
"""Seconds; generous, for a machine that is busy with other things."""


@pytest.fixture
async def heartbeat() -> AsyncIterator[list[float]]:
    """The gaps between turns that the loop took while the test ran."""
    gaps = list[float]()

    async def beat() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    task = asyncio.create_task(beat())
    yield gaps
    task.cancel()
    await asyncio.wait([task])


async def settled(start: Start, execution: Execution, **limits: float) -> GuestStore:
    """A guest that is not on probation any more."""
    guest = await start(execution=execution, limits=Limits(**limits))  # type: ignore[arg-type]  # seconds only
    for _ in range(5):
        await said(guest, "count")
    return guest


@LANES
@pytest.mark.parametrize("command", NEVER_ENDING)
async def test_a_call_ends_at_its_deadline(start: Start, execution: Execution, command: str) -> None:
    """Whether it computes, waits, or does both; soon after, not before."""
    guest = await settled(start, execution, max_execution_time=0.6)
    before = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await said(guest, command)
    assert 0.59 <= time.monotonic() - before < SOON


@pytest.mark.parametrize("when", ["init", "metadata"])
async def test_the_start_has_a_deadline_too(start: Start, when: str) -> None:
    """In `initialize` as in `metadata`."""
    with pytest.raises(DeadlineExceeded):
        await start(config=f"{when}-loop", limits=Limits(max_execution_time=0.3))


@LANES
@BUSY
async def test_a_call_is_interrupted_on_request(start: Start, execution: Execution, command: str) -> None:
    """At once, and it says so; the instance is spent."""
    guest = await settled(start, execution)
    call = asyncio.create_task(said(guest, command))
    await asyncio.sleep(0.02)
    guest.interrupt()
    async with asyncio.timeout(SOON):
        (outcome,) = await asyncio.gather(call, return_exceptions=True)
    if command.startswith("fill") and isinstance(outcome, str):  # one instruction: it may be through before
        return
    assert isinstance(outcome, Interrupted)
    with pytest.raises(Trap, match="spent"):
        await said(guest, "count")


async def test_an_interrupted_call_never_answers(start: Start) -> None:
    """Not even when its thread has come to the end before the loop hears of it: its asker has been told otherwise."""
    guest = await settled(start, Execution.THREAD)
    call = asyncio.create_task(said(guest, "count"))
    await asyncio.sleep(0)  # the call begins
    time.sleep(0.05)  # noqa: ASYNC251 - the thread ends the call and the loop does not hear of it
    guest.interrupt()
    (outcome,) = await asyncio.gather(call, return_exceptions=True)
    assert isinstance(outcome, Interrupted)


@LANES
async def test_interrupting_between_calls_does_nothing(start: Start, execution: Execution) -> None:
    """Not even to the next one."""
    guest = await settled(start, execution)
    guest.interrupt()
    assert "6" == await said(guest, "count")


@LANES
@BUSY
async def test_closing_stops_the_call_in_progress(start: Start, execution: Execution, command: str) -> None:
    """Its caller is told; nothing is freed under a thread that still runs it."""
    guest = await settled(start, execution)
    call = asyncio.create_task(said(guest, command))
    await asyncio.sleep(0.02)
    async with asyncio.timeout(SOON):
        await guest.aclose()
        (outcome,) = await asyncio.gather(call, return_exceptions=True)
    assert isinstance(outcome, Interrupted) or command.startswith("fill")


@LANES
@BUSY
async def test_cancelling_the_caller_stops_the_guest(
    engine: WasmtimeEngine, start: Start, execution: Execution, command: str
) -> None:
    """Once or again and again, at any moment; what is left of it is freed with the Store."""
    for delay in (0.0, 0.001, 0.005, 0.02):
        guest = await settled(start, execution)
        call = asyncio.create_task(said(guest, command))
        await asyncio.sleep(delay)
        for _ in range(3):
            call.cancel()
            await asyncio.sleep(0)
        async with asyncio.timeout(SOON):
            await asyncio.wait([call])
        assert call.cancelled() or command.startswith("fill")
        assert 0 == guest._fiber.future
        await guest.aclose()
    assert 0 == engine.live_stores


@LANES
async def test_cancelling_a_start_leaves_no_store(engine: WasmtimeEngine, execution: Execution) -> None:
    """After any number of turns of the loop."""
    compiled = await engine.compile(binary("hostile"), Limits())
    for turns in range(12):
        starting = asyncio.create_task(engine.start(compiled, HostState(GUEST, execution=execution)))
        for _ in range(turns):
            await asyncio.sleep(0)
        starting.cancel()
        (outcome,) = await asyncio.gather(starting, return_exceptions=True)
        if isinstance(outcome, GuestStore):
            await outcome.aclose()
        assert 0 == engine.live_stores


@pytest.mark.parametrize("pause", [0.0, 0.0005, 0.003])
async def test_cancelling_a_load_leaves_nothing(engine: WasmtimeEngine, pause: float) -> None:
    """Wherever it is: reading, compiling, instantiating, initializing."""
    for turns in range(40):
        loading = asyncio.create_task(engine.load_component(GUEST, binary("hostile")))
        for _ in range(turns):
            await asyncio.sleep(pause if turns < 15 else 0)
        loading.cancel()
        (outcome,) = await asyncio.gather(loading, return_exceptions=True)
        if not isinstance(outcome, BaseException):
            await engine.unload_component(outcome)
    assert 0 == engine.live_stores


async def test_a_timeout_around_a_call_is_a_timeout(start: Start) -> None:
    """As of any coroutine."""
    guest = await start()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await said(guest, "loop")


@LANES
async def test_guests_that_compute_share_with_those_that_do_not(
    start: Start, heartbeat: list[float], execution: Execution
) -> None:
    """Beside five endless loops an echo answers, and the loop goes round."""
    hogs = [await settled(start, execution) for _ in range(5)]
    echo = await start("echo", execution=execution)
    looping = [asyncio.create_task(said(hog, "loop")) for hog in hogs]
    await asyncio.sleep(0)
    heartbeat.clear()
    for _ in range(10):
        assert b"here" == await ask(echo, b"here")
        await asyncio.sleep(0.005)
    gaps = sorted(heartbeat)
    assert not [task for task in looping if task.done()]
    for hog in hogs:
        hog.interrupt()
    outcomes = await asyncio.gather(*looping, return_exceptions=True)
    assert all(isinstance(outcome, Interrupted) for outcome in outcomes)
    assert gaps[len(gaps) // 2] < 0.1


async def test_large_work_on_a_thread_leaves_the_loop_alone(start: Start, heartbeat: list[float]) -> None:
    """Memory is filled and large answers are copied elsewhere."""
    guest = await start()
    heartbeat.clear()
    for _ in range(3):
        assert "ok" == await said(guest, "fill 60")
        assert 1 << 20 == len(await ask(guest, b"huge 1048576") or b"")
    gaps = sorted(heartbeat)
    assert len(gaps) > 20
    assert gaps[len(gaps) // 2] < 0.05


async def test_five_hundred_sleeping_guests_wake_together(engine: WasmtimeEngine) -> None:
    """A guest that waits for the host holds neither loop nor thread."""
    compiled = await engine.compile(binary("hostile"), Limits())
    guests = [await engine.start(compiled, HostState(GUEST)) for _ in range(500)]
    before = time.monotonic()
    answers = await asyncio.gather(*[said(guest, "sleep 100") for guest in guests])
    took = time.monotonic() - before
    for guest in guests:
        await guest.aclose()
    assert ["ok"] * 500 == answers
    assert 0.1 <= took < 500 * 0.1 / 2


@LANES
async def test_many_guests_at_once_get_their_own_answers(engine: WasmtimeEngine, execution: Execution) -> None:
    """Small ones, large ones, waiting ones and failing ones, all mixed up."""
    compiled = await engine.compile(binary("hostile"), Limits())
    commands = ["echo {}", "spin 100000", "sleep 5", "huge 70000", "self-id", "trap", "log-flood 5"]

    async def one(number: int, command: str) -> str:
        guest = await engine.start(compiled, HostState(GUEST, execution=execution))
        try:
            return await said(guest, command.format(number))
        except ExecutionError as exc:
            return str(exc)
        finally:
            await guest.aclose()

    work = [one(number, command) for number, command in zip(range(140), itertools.cycle(commands), strict=False)]
    answers = await asyncio.gather(*work)
    assert [str(number) for number in range(0, 140, 7)] == answers[::7]
    others = ["ok", "ok", "x" * 70_000, "demo/guest/0"]
    assert all(answers[at::7] == [other] * 20 for at, other in enumerate(others, 1))
    assert all("unreachable" in answer for answer in answers[5::7])


async def test_every_lane_gives_the_same_answers(start: Start) -> None:
    """Only where a call runs differs."""
    commands = [
        "echo x",
        "count",
        "spin 3000000",
        "huge 40000",
        "pages",
        "fill 2",
        "sleep 1",
        "self-id",
        "env",
        "callbacks",
    ]
    answers = list[list[str]]()
    for execution in Execution:
        guest = await start(execution=execution, config="some config")
        answers.append([await said(guest, command) for command in commands])
    assert [answers[0]] * 3 == answers


async def test_a_call_that_failed_leaves_no_call_behind(start: Start) -> None:
    """Neither does one that was cancelled or timed out."""
    for command in ("trap", "loop", "sleep-loop 1"):
        guest = await start(limits=Limits(max_execution_time=0.3))
        with contextlib.suppress(ExecutionError):
            await said(guest, command)
    for _ in range(100):
        if not live_instances("airssys_wasm.runtime.fibers.Call"):
            break
        await asyncio.sleep(0.01)  # its thread may still be on its way out
    assert [] == live_instances("airssys_wasm.runtime.fibers.Call")
