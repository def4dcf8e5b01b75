"""The first step of a call on the spot: only when the loop has time for it, and only where it may hold the loop."""

import asyncio

from airssys_wasm.core.config import Execution
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.ports import Answered
from airssys_wasm.runtime.store import GuestStore
from airssys_wasm.runtime.ticker import TICK
from tests.runtime.guests import Start, message, said


async def tried(guest: GuestStore, command: str) -> object:
    """The answer to an attempt, brought to its end if a tick came in the middle of it; None for no attempt."""
    made = guest.attempt(message(command.encode()))
    if made is None or isinstance(made, Answered):
        return None if made is None else made.value
    return await made()


async def test_an_attempt_is_charged_and_refused_when_the_turn_has_no_time_left(start: Start) -> None:
    """It then has not happened; the next turn has time again."""
    guest = await start(execution=Execution.LOOP)
    await asyncio.sleep(0)
    budget = guest._host.scheduler._budget
    before = budget._spent
    assert b"1" == await tried(guest, "count")
    assert budget._spent != before
    budget.charge(TICK)
    assert None is await tried(guest, "count")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert budget.left


async def test_what_has_begun_goes_on_when_it_is_awaited(start: Start) -> None:
    """An endless sleep is interrupted, a short one answers."""
    guest = await start(execution=Execution.LOOP)
    await asyncio.sleep(0)
    rest = guest.attempt(message(b"sleep 5"))
    assert rest is not None
    assert not isinstance(rest, Answered)
    await rest()
    assert "2" == await said(guest, "count")


async def test_a_guest_that_runs_on_threads_is_never_tried(start: Start) -> None:
    """Nor one whose calls may block, nor a payload that takes long to copy."""
    guest = await start(execution=Execution.THREAD)
    assert None is await tried(guest, "count")
    assert "1" == await said(guest, "count")
    wasi = await start("wasi")
    assert wasi.attempt(message(b"x")) is None
    large = await start(limits=Limits(max_payload_bytes=1 << 20), execution=Execution.AUTO)
    assert large.attempt(message(bytes(1 << 20))) is None
