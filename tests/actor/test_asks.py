"""What stays in a mailbox though nobody waits for it any more: a resource that is dropped."""

import asyncio

import pytest

from airssys_wasm.core.calls import Invocation
from airssys_wasm.core.errors import ActorStopped, RequestTimeout
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.messages import ComponentMessage, MessagePayload
from airssys_wasm.core.observations import DeadLetterReason
from airssys_wasm.testing.clock import settle
from tests.actor.bench import HOST, Bench

DROP = Invocation("my:app/things", "[resource-drop]thing", ("its handle",), {})
MESSAGE = ComponentMessage(HOST, MessagePayload(b"drop"))


@pytest.mark.parametrize("how", ["timeout", "cancel"])
async def test_a_drop_that_nobody_waits_for_any_more_stays(bench: Bench, how: str) -> None:
    """It is done when its turn comes, however long after its time that is; the guest here knows no functions."""
    child = await bench.start()
    first = bench.asking(child, b"wait")
    await bench.host.until_paused()
    dropping = asyncio.get_running_loop().create_task(
        bench.supervisor.delivery.ask(child, MESSAGE, 2.0, invocation=DROP)
    )
    await settle()
    if how == "timeout":
        await bench.clock.advance(2.0)
        with pytest.raises(RequestTimeout) as caught:
            await dropping
        assert "running" == caught.value.outcome
    else:
        dropping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dropping
    await bench.clock.advance(10.0)
    assert (1, []) == (child.mailbox.statistics().waiting, bench.letters())
    bench.guest().resume()
    await first
    await settle()
    assert [(b"drop", DeadLetterReason.NOT_EXPORTED)] == bench.letters()


@pytest.mark.parametrize("how", ["timeout", "cancel"])
async def test_a_drop_that_waits_for_room_goes_in(bench: Bench, how: str) -> None:
    """When it is given up: it has room as a callback has, and is there once."""
    child = await bench.start(limits=Limits(mailbox_capacity=1))
    first = bench.asking(child, b"wait")
    await bench.host.until_paused()
    await bench.tell(child, b"fills")
    dropping = asyncio.get_running_loop().create_task(
        bench.supervisor.delivery.ask(child, MESSAGE, 2.0, invocation=DROP)
    )
    later = bench.asking(child, b"count", 20.0)
    await settle()
    if how == "timeout":
        await bench.clock.advance(2.0)
        with pytest.raises(RequestTimeout) as caught:
            await dropping
        assert "running" == caught.value.outcome
    else:
        dropping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dropping
    await settle()
    assert (1, 1) == (child.mailbox.callbacks_waiting, child.mailbox.statistics().senders_waiting)
    bench.guest().resume()
    await first
    assert b"1" == await later
    assert [(b"drop", DeadLetterReason.NOT_EXPORTED)] == bench.letters()
    assert (0, 0) == (child.mailbox.callbacks_waiting, child.mailbox.statistics().waiting)


async def test_a_drop_that_is_given_up_as_the_mailbox_closes_is_a_dead_letter(bench: Bench) -> None:
    """Once; its asker hears of the stop."""
    child = await bench.start(limits=Limits(mailbox_capacity=1))
    first = bench.asking(child, b"wait")
    await bench.host.until_paused()
    await bench.tell(child, b"fills")
    dropping = asyncio.get_running_loop().create_task(
        bench.supervisor.delivery.ask(child, MESSAGE, 2.0, invocation=DROP)
    )
    await settle()
    bench.guest().resume()
    child.close_mailbox(ExitReason(ExitKind.STOPPED, "stopped"))
    dropping.cancel()
    with pytest.raises((ActorStopped, asyncio.CancelledError)):
        await dropping
    await first
    assert 1 == [letter for letter, _ in bench.letters()].count(b"drop")
