"""The security matrix from inside guests: each host function that needs a permission, in each state of its grants."""

import time
from collections.abc import Callable
from typing import Any, Final

import attrs
import pytest

from airssys_wasm import ActorSystem, Capabilities
from airssys_wasm.security.policy import Policy, Rule
from airssys_wasm.security.sinks import MemorySink
from tests.contract.stage import Stage, component, wire

ASKER, TARGET = component("asker"), component("target")
NEIGHBOUR = "demo/target2/*"


@attrs.frozen
class Function:
    """A host function: what makes the guest call it, the permission it needs, how the answer begins when it may."""

    command: str
    action: str
    granted: str

    @property
    def resource(self) -> str:
        """What the audit entry is to name."""
        return str(ASKER if self.action.startswith("storage.") else TARGET)

    @property
    def right(self) -> Capabilities:
        """The grant it needs, and no more."""
        if self.action.startswith("storage."):
            return Capabilities(storage=[self.action.partition(".")[2]])
        return _one(self.action, "demo/target/*")

    def denied(self, reason: str) -> str:
        """What it answers when it may not."""
        match self.action:
            case "broadcast":
                return f"err delivery-failed: 1 of 1 targets failed: {TARGET}"
            case "send" | "request":
                return f"err delivery-failed: {reason}"
            case _:
                return "err io-error: permission denied"


def _one(action: str, pattern: str) -> Capabilities:
    fields: dict[str, Any] = {action: [pattern]}
    return Capabilities(**fields)


FUNCTIONS: Final = {
    "send": Function(f"send {wire(TARGET)} x", "send", "ok"),
    "request": Function(f"request 60000 {wire(TARGET)} x", "request", "ok "),
    "broadcast": Function(f"broadcast {wire(TARGET)} x", "broadcast", "ok"),
    "storage.get": Function("storage-get k", "storage.read", "ok none"),
    "storage.set": Function("storage-set k v", "storage.write", "ok"),
    "storage.delete": Function("storage-delete k", "storage.write", "ok"),
    "storage.exists": Function("storage-exists k", "storage.read", "ok false"),
    "storage.list-keys": Function("storage-list", "storage.read", "ok"),
    "storage.usage": Function("storage-usage", "storage.read", "ok 0 "),
}


@attrs.frozen
class State:
    """A state of the grants: how it comes about, and why an action is then refused, None when it is not."""

    set_up: Callable[[ActorSystem, Function], None]
    refusal: str | None
    policy: bool = False


def _neighbour(system: ActorSystem, function: Function) -> None:
    """Of messages another target whose name has ours as a prefix, of storage another component."""
    if function.action.startswith("storage."):
        system.grant(component("asker2"), function.right)
    else:
        system.grant(ASKER, _one(function.action, NEIGHBOUR))
        system.grant(component("asker2"), function.right)


def _revoked(system: ActorSystem, function: Function) -> None:
    system.grant(ASKER, Capabilities(send=["*"], storage=["read", "write"]))
    system.revoke(ASKER, function.right)


def _revoked_at_all(system: ActorSystem, function: Function) -> None:
    system.grant(ASKER, function.right)
    system.revoke(ASKER)


def _others(system: ActorSystem, function: Function) -> None:
    stored = function.action.partition(".")[2]
    others = {"read": "write", "write": "read"}
    storage = [others[stored]] if stored else ["read", "write"]
    send = ["*"] if stored else []
    system.grant(ASKER, Capabilities(send=send, request=["*"], broadcast=["*"], storage=storage))
    if not stored:
        system.revoke(ASKER, function.right)


NO_GRANT: Final = f"{ASKER} may not {{}} {TARGET}: no grant permits it"
STATES: Final = {
    "no grant": State(lambda _system, _function: None, NO_GRANT),
    "right grant": State(lambda system, function: system.grant(ASKER, function.right), None),
    "grant for a neighbour": State(_neighbour, NO_GRANT),
    "grant for other actions": State(_others, NO_GRANT),
    "expired": State(lambda system, function: system.grant(ASKER, function.right, time.time() - 1), NO_GRANT),
    "not yet expired": State(lambda system, function: system.grant(ASKER, function.right, time.time() + 600), None),
    "revoked": State(_revoked, NO_GRANT),
    "revoked at all": State(_revoked_at_all, NO_GRANT),
    "policy deny over grant": State(
        lambda system, function: system.grant(ASKER, function.right),
        f'policy "lockdown", rule 1 forbids {ASKER} to {{}} {TARGET}',
        policy=True,
    ),
}


def lockdown() -> Policy:
    """Forbids the asker everything."""
    return Policy("lockdown", [Rule("demo/asker/*", "*", "*", "deny")])


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", FUNCTIONS)
async def test_each_cell_has_its_answer_and_one_audit_entry(name: str, state: str) -> None:
    """From inside a guest that runs already; then once more, after everything was revoked."""
    function, cell, sink = FUNCTIONS[name], STATES[state], MemorySink()
    async with ActorSystem(audit=[sink], policies=[lockdown()] if cell.policy else []) as system:
        stage = Stage(system, sink)
        asker = await stage.load("asker", capabilities=Capabilities())
        for other in ("target", "target2"):
            await stage.load(other)
        cell.set_up(system, function)
        sink.clear()
        answer = await asker.say(function.command)
        if cell.refusal is None:
            assert answer.startswith(function.granted)
        else:
            assert function.denied(cell.refusal.format(function.action)) == answer
        (entry,) = sink.entries
        told = (entry.component, entry.action, entry.resource, entry.granted, entry.count)
        assert (ASKER, function.action, function.resource, cell.refusal is None, 1) == told
        assert abs(time.time() - entry.time) < 60
        system.revoke(ASKER)
        assert function.denied(NO_GRANT.format(function.action)) == await asker.say(function.command)


@pytest.mark.parametrize("name", ["send", "request", "broadcast"])
async def test_a_right_grant_does_not_reach_the_neighbour(name: str, stage: Stage) -> None:
    """The other way round: the target's name is how the neighbour's begins."""
    function = FUNCTIONS[name]
    asker = await stage.load("asker", capabilities=function.right)
    await stage.load("target2")
    answer = await asker.say(function.command.replace("|target|", "|target2|"))
    refusal = function.denied(NO_GRANT.format(function.action))
    assert refusal.replace(str(TARGET), "demo/target2/0") == answer


@pytest.mark.parametrize("state", STATES)
async def test_who_is_there_is_shown_to_those_who_may_send_to_it(state: str) -> None:
    """list-components and get-component-metadata ask the same; questions are no decisions and are not audited."""
    function, cell, sink = FUNCTIONS["send"], STATES[state], MemorySink()
    async with ActorSystem(audit=[sink], policies=[lockdown()] if cell.policy else []) as system:
        stage = Stage(system, sink)
        asker = await stage.load("asker", capabilities=Capabilities())
        for other in ("target", "target2"):
            await stage.load(other)
        cell.set_up(system, function)
        sink.clear()
        seen = cell.refusal is None
        assert seen is (str(TARGET) in (await asker.say("list")).split("\n"))
        expected = f"ok {TARGET} hostile 1.0.0 healthy" if seen else f"err invalid-state: not found: {TARGET}"
        assert expected == await asker.say(f"meta {wire(TARGET)}")
        assert [] == sink.entries


async def test_a_denial_reaches_nobody(stage: Stage) -> None:
    """Whatever was refused above, the target has had no message."""
    asker, target = await stage.load("asker", capabilities=Capabilities()), await stage.load("target")
    for name in ("send", "request", "broadcast"):
        await asker.say(FUNCTIONS[name].command)
    assert ("1", 0, 0) == (await target.say("count"), len(stage.requests), await asker.callbacks())
