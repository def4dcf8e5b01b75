"""After a cancel there is no callback, whatever else happens; and nobody cancels what is another's."""

import pytest

from airssys_wasm import DeadLetterReason, Limits
from tests.contract.gate import Gate
from tests.contract.stage import Stage, until


async def test_a_cancelled_request_is_handled_and_its_answer_dropped(stage: Stage, gate: Gate) -> None:
    """It counts as late; the requester's table has room again at once."""
    asker = await stage.load("asker", limits=Limits(max_pending_requests=1))
    correlation_id = await asker.request(gate.id, "x")
    assert "ok" == await asker.say(f"cancel {correlation_id}")
    assert "ok" == await asker.say(f"cancel {correlation_id}")
    assert 0 == len(stage.requests)
    gate.open()
    await until(lambda: stage.requests.late_answers == 1)
    assert (0, [b"x"]) == (await asker.callbacks(), gate.got)
    await asker.request(gate.id, "y")
    assert "y" == (await asker.callback()).payload


@pytest.mark.parametrize("nap_ms", [0, 1, 100], ids=["at once", "soon", "when the answer is there"])
async def test_an_answer_that_waits_in_the_mailbox_is_taken_back(stage: Stage, nap_ms: int) -> None:
    """Cancelled in the same call that made the request, before or after the target has answered."""
    asker, _ = await stage.load("asker"), await stage.load("echo", "echo")
    assert "ok" == (await asker.say(f"late-cancel {nap_ms} 60000 demo|echo|0 x")).partition(" ")[0]
    await until(lambda: not len(stage.requests))
    await asker.request("echo", "last")
    callback = await asker.callback()
    assert ("last", 1) == (callback.payload, await asker.callbacks())


async def test_an_answer_that_is_taken_back_is_a_dead_letter(stage: Stage) -> None:
    """Never in silence."""
    asker, _ = await stage.load("asker"), await stage.load("echo", "echo")
    letters = stage.system.dead_letters()
    await asker.say("late-cancel 200 60000 demo|echo|0 text")
    letter = await anext(letters)
    assert (DeadLetterReason.WITHDRAWN, b"text") == (letter.reason, letter.message.payload.data)


async def test_a_cancel_after_the_callback_changes_nothing(stage: Stage) -> None:
    """It is ok all the same."""
    asker, _ = await stage.load("asker"), await stage.load("echo", "echo")
    correlation_id = await asker.request("echo", "x")
    await asker.callback()
    assert "ok" == await asker.say(f"cancel {correlation_id}")
    assert 1 == await asker.callbacks()


async def test_a_cancelled_request_does_not_time_out(stage: Stage, gate: Gate) -> None:
    """The timer goes on to the next request that is due."""
    asker = await stage.load("asker")
    first = await asker.request(gate.id, "first", 50)
    second = await asker.request(gate.id, "second", 150)
    await asker.say(f"cancel {first}")
    callback = await asker.callback()
    assert (second, 1) == (callback.correlation_id, await asker.callbacks())
    gate.open()


async def test_another_cannot_cancel_a_request_nor_find_out_whether_it_is_one(stage: Stage, gate: Gate) -> None:
    """Not even the target, which was told its id: the answer is the same ok as for any text."""
    asker, thief = await stage.load("asker"), await stage.load("thief")
    correlation_id = await asker.request(gate.id, "x")
    assert {"ok"} == {await thief.say(f"cancel {text}") for text in (correlation_id, correlation_id.upper(), "x", "")}
    assert 1 == len(stage.requests)
    gate.open()
    assert "x" == (await asker.callback()).payload


async def test_another_cannot_take_back_a_waiting_answer(stage: Stage, gate: Gate) -> None:
    """Also where the answer lies in the mailbox already."""
    asker, thief = await stage.load("asker"), await stage.load("thief")
    correlation_id = await asker.request(gate.id, "x")
    await asker.handle.tell(b"sleep 200")
    gate.open()
    await until(lambda: not len(stage.requests))
    assert "ok" == await thief.say(f"cancel {correlation_id}")
    assert "x" == (await asker.callback()).payload


async def test_a_predecessors_request_cannot_be_cancelled(stage: Stage, gate: Gate) -> None:
    """Requests belong to the instance; the one that made this is gone, and its request with it."""
    asker = await stage.load("asker")
    correlation_id = await asker.request(gate.id, "x")
    await asker.handle.restart()
    assert (0, 1) == (len(stage.requests), stage.requests.dropped)
    assert "ok" == await asker.say(f"cancel {correlation_id}")
    gate.open()


async def test_correlation_ids_never_repeat(stage: Stage) -> None:
    """Also of requests that ended at once."""
    asker, _ = await stage.load("asker"), await stage.load("echo", "echo")
    made = {await asker.say("request-cancel 60000 demo|echo|0 x") for _ in range(100)}
    assert 100 == len(made)
