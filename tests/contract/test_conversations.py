"""Requesters and their callbacks: nobody deadlocks, there is room for every answer, and errors stay where they are."""

import asyncio
import logging
from typing import Final

import pytest

from airssys_wasm import ActorState, DeadLetterReason, Limits, MailboxFull
from tests.contract.gate import Gate
from tests.contract.rows import shows
from tests.contract.stage import Callback, Stage, component, until, wire

TIGHT: Final = Limits(mailbox_capacity=1)
WASM_ERRORS: Final = (
    "component-not-found",
    "instantiation-failed",
    "export-not-found",
    "timeout",
    "resource-limit-exceeded",
    "invalid-component",
    "runtime-error",
)


async def test_two_components_that_request_each_other_do_not_deadlock(stage: Stage) -> None:
    """Each asks the other to ask it back, with mailboxes of one message: two answers each."""
    a, b = await stage.load("a", limits=TIGHT), await stage.load("b", limits=TIGHT)
    await asyncio.gather(
        a.request("b", f"request 60000 {a.wire} echo to b"), b.request("a", f"request 60000 {b.wire} echo to a")
    )
    for actor in (a, b):
        await actor.callback(2)
    assert (0, 0) == (len(stage.requests), stage.requests.dropped)


@pytest.mark.parametrize("limits", [TIGHT, Limits()], ids=["mailbox of one", "default"])
async def test_one_that_requests_itself_does_not_deadlock(stage: Stage, limits: Limits) -> None:
    """Its request waits behind the message that made it, the answer behind that."""
    asker = await stage.load("asker", limits=limits)
    correlation_id = await asker.request("asker", "echo x")
    callback = await asker.callback()
    assert (correlation_id, "x", "demo/asker/0") == (callback.correlation_id, callback.payload, callback.sender)


async def test_one_that_requests_itself_in_answer_to_its_own_request_does_not_deadlock(stage: Stage) -> None:
    """Each link of the chain is one message more."""
    asker = await stage.load("asker")
    await asker.request("asker", f"request 60000 {wire('asker')} request 60000 {wire('asker')} echo innermost")
    assert "innermost" == (await asker.callback(3)).payload


async def test_a_full_mailbox_never_keeps_an_answer_out(stage: Stage, gate: Gate) -> None:
    """Room for callbacks is kept from the request on; until they are taken they count as requests."""
    asker = await stage.load("asker", limits=Limits(mailbox_capacity=1, max_pending_requests=2))
    for payload in ("one", "two"):
        await asker.request(gate.id, payload)
    await asker.handle.tell(b"sleep 300")
    await until(lambda: not asker.handle.statistics().mailbox.waiting)
    asker.handle.tell_nowait(b"count")
    gate.open()
    await until(lambda: not len(stage.requests))
    with pytest.raises(MailboxFull):
        asker.handle.tell_nowait(b"count")
    with pytest.raises(MailboxFull):
        await stage.system.request(component("asker"), gate.id, b"three")
    assert "two" == (await asker.callback(2)).payload
    await asker.request(gate.id, "three")
    assert "three" == (await asker.callback(3)).payload


async def test_answers_that_were_handled_make_room_for_requests(stage: Stage) -> None:
    """Any number of requests, as long as they are not all at once."""
    asker, _ = await stage.load("asker", limits=Limits(max_pending_requests=1)), await stage.load("echo", "echo")
    for number in range(1, 21):
        await asker.request("echo", str(number))
        assert str(number) == (await asker.callback(number)).payload


async def test_a_request_that_expires_while_it_waits_for_room_ends_once(stage: Stage) -> None:
    """Either it was accepted and calls back, or it was refused and never does."""
    asker = await stage.load("asker", limits=Limits(send_wait=0.3))
    await stage.load_full()
    for timeout_ms in (0, 1, 20, 299, 300):
        before = await asker.callbacks()
        answer = await asker.say(f"request {timeout_ms} demo|full|0 x")
        await until(lambda: not len(stage.requests))
        assert answer.startswith("ok ") is (await asker.callbacks() == before + 1)


async def test_a_restarted_requester_gets_no_answer_of_its_predecessor(stage: Stage, gate: Gate) -> None:
    """The message that had not started is withdrawn, the answer of the other one is late."""
    asker = await stage.load("asker")
    for payload in ("first", "second"):
        await asker.request(gate.id, payload)
    await asker.handle.restart()
    assert (2, 0) == (stage.requests.dropped, len(stage.requests))
    gate.open()
    await until(lambda: stage.requests.late_answers == 1)
    await asker.request(gate.id, "mine")
    assert "mine" == (await asker.callback()).payload
    assert [b"first", b"mine"] == gate.got


async def test_an_answer_that_waits_dies_with_the_instance_that_asked(stage: Stage, gate: Gate) -> None:
    """It crashes with a callback in its mailbox; the next instance does not get it."""
    letters = stage.system.dead_letters()
    asker = await stage.load("asker", limits=Limits(max_execution_time=0.3))
    await asker.request(gate.id, "text")
    await asker.handle.tell(b"loop")
    gate.open()
    await until(lambda: not len(stage.requests))
    assert 0 == asker.handle.statistics().crashes
    assert 0 == await asker.callbacks()
    found = [await anext(letters) for _ in range(2)]
    expected = [(DeadLetterReason.CRASHED, b"loop"), (DeadLetterReason.REQUESTER_GONE, b"text")]
    assert expected == [(letter.reason, letter.message.payload.data) for letter in found]


async def test_an_unloaded_requesters_requests_are_forgotten(stage: Stage, gate: Gate) -> None:
    """Who is loaded under its id later gets nothing of them."""
    asker = await stage.load("asker", shutdown=1.0)
    await asker.request(gate.id, "x")
    await stage.unload(asker)
    assert (1, 0) == (stage.requests.dropped, len(stage.requests))
    asker = await stage.load("asker")
    gate.open()
    await until(lambda: stage.requests.late_answers == 1)
    assert 0 == await asker.callbacks()


@shows(*(f"component-lifecycle.handle-callback: {case}" for case in WASM_ERRORS))
@pytest.mark.parametrize("case", WASM_ERRORS)
async def test_err_in_a_callback_is_logged_and_counted(
    stage: Stage, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The instance lives on; nobody waits for what it says, so the log is the place."""
    asker, _ = await stage.load("asker"), await stage.load("echo", "echo")
    await asker.request("echo", f"refuse {case} some text")
    await until(lambda: asker.handle.statistics().guest_errors == 1)
    assert f"refuse {case} some text" == (await asker.callback()).payload
    text = "timeout" if case == "timeout" else f"{case}: some text"
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [f"demo/asker/0 answered err to a callback: {text}"] == warnings
    caplog.clear()  # a record keeps the error, which keeps the call's frames
    assert (0, 0) == (asker.handle.statistics().crashes, stage.requests.dropped)


async def test_a_trap_in_a_callback_is_a_crash(stage: Stage) -> None:
    """It restarts, like after any other; the callback is not delivered again."""
    asker, _ = await stage.load("asker"), await stage.load("echo", "echo")
    letters = stage.system.dead_letters()
    await asker.request("echo", "trap")
    letter = await anext(letters)
    assert (DeadLetterReason.CRASHED, b"trap") == (letter.reason, letter.message.payload.data)
    assert 0 == await asker.callbacks()
    assert (1, ActorState.RUNNING) == (asker.handle.statistics().restarts, asker.handle.state)


async def test_an_endless_callback_ends_at_its_deadline(stage: Stage) -> None:
    """Callbacks have the limits of messages."""
    asker = await stage.load("asker", limits=Limits(max_execution_time=0.1))
    await stage.load("echo", "echo")
    await asker.request("echo", "loop")
    await until(lambda: asker.handle.statistics().crashes == 1)
    assert 0 == await asker.callbacks()


async def test_callbacks_and_messages_keep_their_order(stage: Stage, gate: Gate) -> None:
    """A callback is one message more at the end of the mailbox."""
    asker = await stage.load("asker")
    await asker.request(gate.id, "x")
    await asker.handle.tell(b"sleep 100")
    await until(lambda: not asker.handle.statistics().mailbox.waiting)
    before = asyncio.create_task(asker.callbacks())
    await asyncio.sleep(0)
    gate.open()
    await until(lambda: not len(stage.requests))
    after = asyncio.create_task(asker.say("last-callback"))
    assert (0, "x") == (await before, Callback.read(await after).payload)
