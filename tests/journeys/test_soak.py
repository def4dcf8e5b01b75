"""A short chaos soak: storms of messages and faults, and nothing is lost in silence."""

import asyncio
from itertools import islice

import pytest

from airssys_wasm import (
    ActorSystem,
    ComponentId,
    ComponentMessage,
    DeadLetter,
    DeadLetterReason,
    MessageMetadata,
)
from airssys_wasm.core.calls import Invocation
from airssys_wasm.core.messages import CONTENT_TYPE_ERROR
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import OBEDIENT
from benchmarks.soak import run
from benchmarks.soak_calls import API, Call, Calls
from benchmarks.soak_ledger import HANDLED, Ledger
from benchmarks.soak_plan import Plan
from benchmarks.soak_states import states


@pytest.mark.slow
@pytest.mark.timeout(240)  # a few seconds on a machine of one's own
@pytest.mark.parametrize("seed", [1, 2])
def test_everything_sent_is_handled_or_a_dead_letter(seed: int) -> None:
    """Every ask and call ended once, senders' order was kept, counters and events agree, and nothing is left."""
    report = run(Plan(seed, messages=2000, actors=40, workers=4), timeout=120)
    assert [] == report.violations
    assert report.sent >= 2000
    assert report.sent == sum(report.ends.values())
    assert sum(report.outcomes.values()) > 500
    assert {*HANDLED, "crashed", "withdrawn", "mailbox-full", "actor-stopped", "target-not-found"} <= report.ends.keys()
    assert {"answer", "guest-error", "withdrawn"} <= report.outcomes.keys()
    assert {"answer", "guest-error"} <= report.calls.keys()
    assert {"begun", "answered", "raised"} <= report.host_functions.keys()
    assert {"started", "crashed", "passivated", "revived", "stopped"} <= report.events.keys()
    assert report.callbacks["delivered"] > 0
    assert report.restarts > 0


def test_a_callback_may_be_lost_before_its_request_is_known() -> None:
    """The request waited so long for room that it had expired: nobody owes it anything any more."""
    ledger, requester, me = Ledger(), object(), ComponentId("soak", "a0", "0")
    ledger.sent(7, me, "lane")
    stamp = MessageMetadata("early", me, 0, CONTENT_TYPE_ERROR)
    ledger.dead_letter(DeadLetter(me, ComponentMessage(me, b"{}", stamp), DeadLetterReason.REQUESTER_GONE))
    ledger.owes("early", requester)
    ledger.owes("later", requester)
    assert ({"later": requester}, 2) == (ledger.requests, ledger.callbacks["owed"])
    assert requester is ledger.called_back("later")
    assert ({}, []) == (ledger.requests, ledger.violations)


@pytest.mark.parametrize(
    ("state", "outcome", "found"),
    [
        ("ok", "answer", []),
        ("ok", "withdrawn", ["call 7 ended as withdrawn and is ok"]),
        ("waiting", "answer", ["call 7 ended as answer and is waiting"]),
        ("err", "answer", ["call 7 ended as answer and is err"]),
        ("delivered", "running", []),
    ],
)
def test_a_call_ends_as_far_as_it_came(state: str, outcome: str, found: list[str]) -> None:
    """The ledger of calls sees what its caller was told, and what its guest was."""
    calls, invocation = Calls([]), Invocation(API, "greet", ("7",), {})
    calls.open[7], calls.begun = Call(nameless=False), 1
    if state != "waiting":
        assert 7 == calls.delivered(invocation)
    if state in {"ok", "err"}:
        calls.answered(7, state)
    calls.ended(7, outcome)
    assert found == calls.violations


async def test_what_keeps_a_component_from_ending_is_told(scripted_system: ActorSystem) -> None:
    """Of those at rest nothing is."""
    me = ComponentId("demo", "guest", "0")
    guest = await scripted_system.load(me, OBEDIENT)
    assert [] == list(states(scripted_system))
    await guest.tell(b"wait")
    unloading = asyncio.create_task(scripted_system.unload(guest))
    await settle()
    [state] = states(scripted_system)
    assert f"{me} is stopping: actor: <ready=True order=stop busy>" in state
    assert "0 for its start, 1 for its end" in state
    unloading.cancel()


def test_a_seed_reproduces_what_is_done() -> None:
    """Each worker's steps, whatever becomes of them; another seed does something else."""
    first, again, other = (list(islice(Plan(seed, 1000, 50, 4).steps(2), 300)) for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_every_number_of_a_plan_is_used_once() -> None:
    """A message is known by it: those of host code, and those that guests make of them."""
    plan, numbers = Plan(3, 2000, 50, 4), list[int]()
    for worker in range(plan.workers):
        for step in plan.steps(worker):
            numbers += [step.number + plan.workers * offset for offset in range(step.count)]
            numbers += [plan.inner(step)]
    assert len(numbers) == len(set(numbers))
