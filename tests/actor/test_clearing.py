"""A long queue that nobody is going to handle ends in many turns of the loop; its component is gone only then."""

import asyncio
import contextlib
from collections.abc import Coroutine
from itertools import pairwise
from typing import Any

import pytest

from airssys_wasm.actor.asks import EXPIRED_AT_ONCE
from airssys_wasm.actor.child import Child
from airssys_wasm.actor.clearing import AT_ONCE
from airssys_wasm.core.errors import ActorStopped, RequestTimeout
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.observations import ActorState, DeadLetterReason
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import Script, ScriptedGuest
from tests.actor.bench import Bench, opened

MANY = 10 * AT_ONCE
ROOMY = Limits(mailbox_capacity=2 * MANY)


async def _pause(guest: ScriptedGuest, _message: ComponentMessage) -> bytes | None:
    return await guest.pause()


async def _laden(bench: Bench, count: int, **spec: Any) -> "tuple[Child, asyncio.Task[bytes | None]]":
    """A child at a message, with others behind it."""
    child = await bench.start(script=Script(on_message=_pause), limits=ROOMY, **spec)
    first = bench.asking(child, b"first")
    await bench.host.until_paused()
    for number in range(count):
        await bench.tell(child, b"%d" % number)
    return child, first


async def _watched(bench: Bench, ending: Coroutine[Any, Any, object]) -> int:
    """The most dead letters between two turns of the loop, while something goes on."""
    task, counts = asyncio.create_task(ending), [len(bench.letters())]
    while not task.done():
        await asyncio.sleep(0)
        counts.append(len(bench.letters()))
    await task
    return max(after - before for before, after in pairwise(counts))


async def _stopped(bench: Bench, child: Child) -> None:
    """Stop it, and let it finish its message if it may."""
    stopping = asyncio.create_task(bench.supervisor.stop_child(child))
    while child.state is ActorState.RUNNING:  # noqa: ASYNC110 - nobody says so
        await asyncio.sleep(0)
    if child.state is ActorState.STOPPING and child.spec.shutdown == "infinite":
        bench.guest().resume()
    await stopping


@pytest.mark.parametrize("shutdown", ["brutal", "infinite"])
@pytest.mark.parametrize("count", [0, 1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, MANY])
async def test_a_queue_ends_in_order_before_its_component_is_gone(bench: Bench, count: int, shutdown: Any) -> None:
    """However long it is, and whether the component is killed or finishes its message; a few in each turn."""
    child, first = await _laden(bench, count, shutdown=shutdown)
    most = await _watched(bench, _stopped(bench, child))
    await asyncio.gather(first, return_exceptions=True)
    numbers = [int(payload) for payload, _ in bench.letters() if payload != b"first"]
    assert (list(range(count)), True) == (numbers, child.gone)
    assert most <= 2 * AT_ONCE + 1


async def test_who_gives_up_between_the_turns_ends_once_too(bench: Bench) -> None:
    """As everybody else."""
    child, first = await _laden(bench, 0, shutdown="brutal")
    asks = [bench.asking(child, b"%d" % number) for number in range(MANY)]
    await settle()
    stopping = asyncio.create_task(bench.supervisor.stop_child(child))
    while not bench.letters():  # noqa: ASYNC110 - nobody says so
        await asyncio.sleep(0)
    asks[-1].cancel()
    await stopping
    *endings, last = await asyncio.gather(first, *asks, return_exceptions=True)
    assert isinstance(last, asyncio.CancelledError)
    assert {ActorStopped} == {type(ending) for ending in endings}
    assert MANY + 1 == len(bench.letters()) == len(set(bench.letters()))


@pytest.mark.parametrize("error", [None, ZeroDivisionError])
async def test_leaving_waits_for_the_queue(error: type[Exception] | None) -> None:
    """Also by an exception; every message has ended then."""
    with contextlib.suppress(ZeroDivisionError):
        async with opened() as bench:
            _, first = await _laden(bench, MANY, shutdown="brutal")
            if error is not None:
                raise error
    await asyncio.gather(first, return_exceptions=True)
    assert MANY + 1 == len(bench.letters())


async def test_asks_whose_time_is_over_end_a_few_in_each_turn(bench: Bench) -> None:
    """In their order, however many are due at once."""
    child, first = await _laden(bench, 0)
    asks = [bench.asking(child, b"%d" % number, 1.0) for number in range(MANY)]
    await settle()
    most = await _watched(bench, bench.clock.advance(1.0))
    assert [b"%d" % number for number in range(MANY)] == [payload for payload, _ in bench.letters()]
    assert most <= 2 * EXPIRED_AT_ONCE
    bench.guest().resume()
    endings = await asyncio.gather(first, *asks, return_exceptions=True)
    assert {RequestTimeout} == {type(ending) for ending in endings[1:]}


async def test_an_ask_whose_time_is_over_before_it_is_drained_is_told_that_it_never_begins(bench: Bench) -> None:
    """It waits in a queue of a mailbox that is closed already."""
    child, first = await _laden(bench, 1)
    late = bench.asking(child, b"late", 2.0)
    await settle()
    stopping = asyncio.create_task(bench.supervisor.stop_child(child, drain=True))
    await bench.clock.advance(2.0)
    with pytest.raises(RequestTimeout) as caught:
        await late
    assert ("withdrawn", [(b"late", DeadLetterReason.EXPIRED)]) == (caught.value.outcome, bench.letters())
    await bench.clock.advance(5.0)
    await asyncio.gather(first, stopping, return_exceptions=True)
    assert 3 == len(bench.letters()) == len(set(bench.letters()))
