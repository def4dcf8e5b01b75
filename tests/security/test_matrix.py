"""The security matrix: every action in every state of grants and policies, its answer and its one audit entry."""

from collections.abc import Callable
from typing import Any, Final

import attrs
import pytest

from airssys_wasm.core.errors import CapabilityDenied, PolicyViolation
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.security.audit import Audit
from airssys_wasm.security.capabilities import ACTIONS, Action, Capabilities
from airssys_wasm.security.decision import AuditEntry
from airssys_wasm.security.guard import NO_GRANT, Guard
from airssys_wasm.security.policy import Policy, Rule
from airssys_wasm.security.sinks import MemorySink

SENDER: Final = ComponentId("org", "sender", "0")
TARGET: Final = ComponentId("org", "target", "0")
NEIGHBOUR: Final = ComponentId("org", "target2", "0")
SENDERS_NEIGHBOUR: Final = ComponentId("org", "sender2", "0")
NOW: Final = 100.0


def _right(action: Action) -> Capabilities:
    stored = action.partition(".")[2]
    return Capabilities(storage=[stored]) if stored else _for(action, "org/target/*")


def _for(action: Action, pattern: str) -> Capabilities:
    fields: dict[str, Any] = {action: [pattern]}
    return Capabilities(**fields)


def _neighbours(guard: Guard, action: Action) -> None:
    """For messages another target, for storage another component: the name has ours as a prefix."""
    if action.startswith("storage."):
        guard.grant(SENDERS_NEIGHBOUR, _right(action))
    else:
        guard.grant(SENDER, _for(action, "org/target2/*"))
        guard.grant(SENDERS_NEIGHBOUR, _right(action))


def _revoked_in_part(guard: Guard, action: Action) -> None:
    guard.grant(SENDER, Capabilities(send=["*"], storage=["read", "write"]))
    guard.revoke(SENDER, _right(action))


def _revoked(guard: Guard, action: Action) -> None:
    guard.grant(SENDER, _right(action))
    guard.revoke(SENDER)


def _under_policy(guard: Guard, action: Action) -> None:
    guard.grant(SENDER, _right(action))
    guard.add_policy(Policy("lockdown", [Rule("org/sender/*", action, "*", "deny")]))


def _policy_alone(guard: Guard, action: Action) -> None:
    guard.add_policy(Policy("open", [Rule("*", "*", "*", "allow"), Rule("*", action, "*", "allow")]))


def _nothing(guard: Guard, action: Action) -> None:
    assert not guard.foresee(SENDER, action, TARGET, NOW).granted


def _others(guard: Guard, action: Action) -> None:
    """Everything but the action."""
    other: dict[Action, Capabilities] = {
        "send": Capabilities(request=["*"], broadcast=["*"], storage=["read", "write"]),
        "request": Capabilities(broadcast=["*"], storage=["read", "write"]),
        "broadcast": Capabilities(request=["*"], storage=["read", "write"]),
        "storage.read": Capabilities(send=["*"], storage=["write"]),
        "storage.write": Capabilities(send=["*"], storage=["read"]),
    }
    guard.grant(SENDER, other[action])


@attrs.frozen
class Case:
    """One column: what is set up, whether the action is then granted, and what refuses it otherwise."""

    set_up: Callable[[Guard, Action], None]
    granted: bool
    reason: str = NO_GRANT
    error: type[Exception] = CapabilityDenied


CASES: Final = {
    "no grant": Case(_nothing, granted=False),
    "right grant": Case(lambda guard, action: guard.grant(SENDER, _right(action)), granted=True),
    "grant up to now": Case(lambda guard, action: guard.grant(SENDER, _right(action), NOW), granted=True),
    "grant for a neighbour": Case(_neighbours, granted=False),
    "grant for other actions": Case(_others, granted=False),
    "expired": Case(lambda guard, action: guard.grant(SENDER, _right(action), NOW - 0.001), granted=False),
    "revoked": Case(_revoked, granted=False),
    "revoked in part": Case(_revoked_in_part, granted=False),
    "policy deny over grant": Case(
        _under_policy, granted=False, reason='policy "lockdown", rule 1 forbids it', error=PolicyViolation
    ),
    "policy allow without grant": Case(_policy_alone, granted=False),
}


def _authorise(guard: Guard, action: Action) -> None:
    match action:
        case "storage.read":
            guard.authorise_storage(SENDER, "read", NOW)
        case "storage.write":
            guard.authorise_storage(SENDER, "write", NOW)
        case _:
            guard.authorise_message(SENDER, action, TARGET, NOW, ComponentMessage(SENDER, b"x"))


@pytest.mark.parametrize("asked_before", [False, True], ids=["first time", "known already"])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("action", ACTIONS)
def test_each_cell_has_its_answer_and_one_audit_entry(action: Action, name: str, asked_before: bool) -> None:
    """Whether the answer was remembered or not, and whether the set-up came before or after it was asked."""
    case, memory = CASES[name], MemorySink()
    resource = SENDER if action.startswith("storage.") else TARGET
    guard = Guard(audit=Audit(memory))
    if asked_before:
        guard.check(SENDER, action, resource, NOW - 50)
        memory.clear()
    case.set_up(guard, action)
    if case.granted:
        _authorise(guard, action)
    else:
        with pytest.raises(case.error) as caught:
            _authorise(guard, action)
        assert (SENDER, action, str(resource)) == (caught.value.component, caught.value.action, caught.value.resource)  # type: ignore[attr-defined]
    [entry] = memory.entries
    assert (SENDER, action, str(resource), case.granted, NOW, 1) == (
        entry.component,
        entry.action,
        entry.resource,
        entry.granted,
        entry.time,
        entry.count,
    )
    assert entry.reason.startswith("grant ") if case.granted else case.reason == entry.reason


@pytest.mark.parametrize("action", ACTIONS)
def test_the_neighbours_grant_is_good_for_the_neighbour(action: Action) -> None:
    """So the column above is not denied for another reason."""
    guard = Guard()
    _neighbours(guard, action)
    if action.startswith("storage."):
        assert guard.check(SENDERS_NEIGHBOUR, action, SENDERS_NEIGHBOUR, NOW).granted
    else:
        assert guard.check(SENDER, action, NEIGHBOUR, NOW).granted
        assert guard.check(SENDERS_NEIGHBOUR, action, TARGET, NOW).granted


def test_the_entry_of_a_closed_door_names_it() -> None:
    """The target's restriction is a decision like any other."""
    memory = MemorySink()
    guard = Guard(audit=Audit(memory))
    guard.grant(SENDER, Capabilities(send=["*"]))
    guard.grant(TARGET, Capabilities(receive_from=[]))
    with pytest.raises(CapabilityDenied):
        guard.authorise_message(SENDER, "send", TARGET, NOW)
    reason = "org/target/0 does not receive from org/sender/0"
    assert [AuditEntry(SENDER, "send", "org/target/0", granted=False, reason=reason, time=NOW)] == memory.entries


def test_host_code_and_questions_leave_no_entry() -> None:
    """Neither is a decision about a component."""
    memory = MemorySink()
    guard = Guard(audit=Audit(memory))
    host = ComponentId("host", "app", "0")
    guard.authorise_message(host, "send", TARGET, NOW)
    guard.check(host, "send", TARGET, NOW)
    guard.reachable(SENDER, [TARGET, NEIGHBOUR], NOW)
    guard.foresee(SENDER, "send", TARGET, NOW)
    guard.explain(SENDER)
    guard.unmatched([])
    assert [] == memory.entries
