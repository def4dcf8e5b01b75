"""How a request ends: in exactly one callback that says how its message went, whatever became of the target."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import pytest

from airssys_wasm import ComponentId, ComponentMessage, DeadLetterReason, Limits
from tests.contract.rows import UUID4
from tests.contract.stage import Actor, Stage, component, until

NONE: Final = "application/x.airssys.none"
ERROR: Final = "application/x.airssys.error+json"
CASES: Final = (
    "component-not-found",
    "instantiation-failed",
    "export-not-found",
    "resource-limit-exceeded",
    "invalid-component",
    "runtime-error",
)
SHORT: Final = Limits(max_execution_time=0.2)


async def _nothing(_stage: Stage, _target: Actor) -> None:
    return


async def _started(target: Actor) -> None:
    await until(lambda: not target.handle.statistics().mailbox.waiting, "the target starts")
    await asyncio.sleep(0)


async def _restart(_stage: Stage, target: Actor) -> None:
    await _started(target)
    await target.handle.restart()


async def _unload(stage: Stage, target: Actor) -> None:
    await _started(target)
    await stage.unload(target)


@attrs.frozen(kw_only=True)
class Outcome:
    """What the target is told to do, what is done to it meanwhile, and what the requester hears of it."""

    covers: tuple[str, ...] = ()
    tell: str
    timeout_ms: int = 60_000
    meanwhile: Callable[[Stage, Actor], Awaitable[None]] = _nothing
    limits: Limits = attrs.field(factory=Limits)
    content_type: str = "none"
    payload: str = ""
    error: tuple[str, str] | None = None


def failed(case: str, detail: str, /, tell: str, **more: object) -> Outcome:
    """An outcome that is told as an error."""
    return Outcome(tell=tell, content_type=ERROR, error=(case, detail), **more)  # type: ignore[arg-type]


OUTCOMES: Final = {
    "some": Outcome(
        covers=("component-lifecycle.handle-message: ok", "component-lifecycle.handle-callback: ok"),
        tell="echo text",
        payload="text",
    ),
    "some with an empty payload": Outcome(tell="empty"),
    "none": Outcome(tell="none", content_type=NONE),
    **{
        f"err {case}": failed(
            case, "text ü", tell=f"err {case} text ü", covers=(f"component-lifecycle.handle-message: {case}",)
        )
        for case in CASES
    },
    "err timeout": failed("timeout", "", tell="err timeout", covers=("component-lifecycle.handle-message: timeout",)),
    "err without a text": failed("runtime-error", "", tell="err runtime-error"),
    "a trap": failed("runtime-error", "demo/target/0 crashed", tell="trap"),
    "an access out of bounds": failed("runtime-error", "demo/target/0 crashed", tell="oob"),
    "an answer that is none": failed("runtime-error", "demo/target/0 crashed", tell="invalid-answer pointer"),
    "the target's deadline": failed("runtime-error", "demo/target/0 crashed", tell="loop", limits=SHORT),
    "the target's deadline while it waits": failed(
        "runtime-error", "demo/target/0 crashed", tell="sleep 60000", limits=SHORT
    ),
    "no more fuel": failed("runtime-error", "demo/target/0 crashed", tell="loop", limits=Limits(max_fuel=10_000_000)),
    "interrupted": failed("component-not-found", "demo/target/0 has stopped", tell="sleep 60000", meanwhile=_restart),
    "unloaded": failed("component-not-found", "demo/target/0 has stopped", tell="sleep 60000", meanwhile=_unload),
    "an answer over the target's limit": failed(
        "resource-limit-exceeded",
        "the answer of demo/target/0 is over its limit",
        tell="huge 101",
        limits=Limits(max_payload_bytes=100),
    ),
    "an answer over the requester's limit": failed(
        "resource-limit-exceeded", "the answer has 20001 bytes", tell="huge 20001"
    ),
    "no answer in time": failed("timeout", "demo/target/0 did not answer in time", tell="sleep 60000", timeout_ms=30),
    "no time at all": failed("timeout", "demo/target/0 did not answer in time", tell="count", timeout_ms=0),
}


@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES)
async def test_each_outcome_is_one_callback(outcome: Outcome, stage: Stage) -> None:
    """With the correlation id of its request and the target as its sender."""
    asker = await stage.load("asker", limits=Limits(max_payload_bytes=20_000))
    target = await stage.load("target", limits=outcome.limits)
    correlation_id = await asker.request("target", outcome.tell, outcome.timeout_ms)
    assert re.fullmatch(UUID4, correlation_id)
    await outcome.meanwhile(stage, target)
    callback = await asker.callback()
    assert (correlation_id, "demo/target/0") == (callback.correlation_id, callback.sender)
    assert outcome.content_type == callback.content_type
    if outcome.error is None:
        assert outcome.payload == callback.payload
    else:
        case, detail = outcome.error
        assert {"error": case, "detail": detail} == json.loads(callback.payload)
    assert (0, 1) == (len(stage.requests), await asker.callbacks())


async def test_a_request_of_no_time_is_not_handled(stage: Stage) -> None:
    """Its message has expired before its turn, and says so as a dead letter."""
    asker, target = await stage.load("asker"), await stage.load("target")
    letters = stage.system.dead_letters()
    await target.handle.tell(b"sleep 50")
    await asker.request("target", "count", 0)
    await asker.callback()
    letter = await anext(letters)
    assert (DeadLetterReason.EXPIRED, b"count") == (letter.reason, letter.message.payload.data)
    assert "2" == await target.say("count")
    assert 0 == stage.requests.late_answers


async def test_an_answer_after_the_timeout_is_dropped_and_counted(stage: Stage) -> None:
    """The requester has heard that there was none."""
    asker, target = await stage.load("asker"), await stage.load("target")
    await asker.request("target", "sleep 150", 20)
    assert ERROR == (await asker.callback()).content_type
    await until(lambda: stage.requests.late_answers == 1)
    assert ("2", 1) == (await target.say("count"), await asker.callbacks())


async def test_a_long_detail_is_cut(stage: Stage) -> None:
    """Another component's words are repeated up to 1,024 characters, and it stays JSON."""
    asker, _ = await stage.load("asker"), await stage.load("target")
    await asker.request("target", "err runtime-error " + '"é\\' * 1000)
    told = json.loads((await asker.callback()).payload)
    assert {"error": "runtime-error", "detail": ('"é\\' * 1000)[:1024]} == told


async def test_a_request_from_host_code_is_answered_like_one_of_the_guest(stage: Stage) -> None:
    """`system.request` speaks for a component, with a content type of its own if it likes."""
    asker, _ = await stage.load("asker"), await stage.load("target")
    correlation_id = await stage.system.request(
        component("asker"), component("target"), b"envelope", content_type="a/b"
    )
    callback = await asker.callback()
    assert (correlation_id, "none") == (callback.correlation_id, callback.content_type)
    expected = f"content-type a/b\ncorrelation-id {correlation_id}\nsender demo/asker/0\nreply-to demo/asker/0\n"
    assert callback.payload.startswith(expected + "timestamp ")


async def test_host_code_that_is_served_answers_guests(stage: Stage) -> None:
    """It is asked like a component; what it raises is told as the contract has it."""

    async def handler(message: ComponentMessage) -> bytes | None:
        match message.payload.data:
            case b"none":
                return None
            case b"raise":
                raise LookupError("secret")
            case data:
                return data[::-1]

    asker = await stage.load("asker")
    inbox = ComponentId("host", "tests", "inbox")
    await stage.system.serve(inbox, handler)
    told = []
    for number, payload in enumerate(("abc", "none", "raise"), 1):
        await asker.say(f"request 60000 host|tests|inbox {payload}")
        callback = await asker.callback(number)
        assert "host/tests/inbox" == callback.sender
        told.append((callback.content_type, callback.payload))
    error = json.dumps({"error": "runtime-error", "detail": "the handler failed: LookupError"})
    assert [("none", "cba"), (NONE, ""), (ERROR, error)] == told
