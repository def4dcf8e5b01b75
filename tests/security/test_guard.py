from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.core.errors import CapabilityDenied
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.security.capabilities import ACTIONS, Action, Capabilities, MessageAction, StorageAction
from airssys_wasm.security.decision import Decision
from airssys_wasm.security.grants import Grant
from airssys_wasm.security.guard import Guard

SENDER = ComponentId("org", "sender", "0")
TARGET = ComponentId("org", "target", "0")
NEIGHBOUR = ComponentId("org", "target2", "0")
HOST = ComponentId("host", "app", "0")
MESSAGE_ACTIONS: list[MessageAction] = ["send", "request", "broadcast"]


def _guard(**fields: Any) -> Guard:
    guard = Guard()
    guard.grant(SENDER, Capabilities(**fields))
    return guard


def _may(guard: Guard, action: Action, target: ComponentId = TARGET, now: float = 0.0) -> bool:
    return guard.check(SENDER, action, target, now).granted


@pytest.mark.parametrize("action", ACTIONS)
def test_without_a_grant_nothing_is_allowed(action: Action) -> None:
    """Deny by default, a message to oneself included."""
    guard = Guard()
    assert Decision(False, "no grant permits it", SENDER, action, "org/target/0") == guard.check(
        SENDER, action, TARGET, 0.0
    )
    assert not _may(guard, action, SENDER)


@pytest.mark.parametrize("action", MESSAGE_ACTIONS)
def test_a_denied_message_comes_back_with_who_what_and_why(action: MessageAction) -> None:
    """The error carries the message, like every delivery error."""
    message = ComponentMessage(SENDER, b"x")
    with pytest.raises(CapabilityDenied) as caught:
        Guard().authorise_message(SENDER, action, TARGET, 0.0, message)
    error = caught.value
    assert (SENDER, action, "org/target/0", "no grant permits it") == (
        error.component,
        error.action,
        error.resource,
        error.reason,
    )
    assert error.message is message
    assert f"org/sender/0 may not {action} org/target/0: no grant permits it" == str(error)


def test_a_grant_permits_from_the_next_decision_on() -> None:
    """The reason is the pattern that permits."""
    guard = Guard()
    assert not _may(guard, "send")
    guard.grant(SENDER, Capabilities(send=["org/target/*"]))
    assert Decision(True, "grant org/target/*", SENDER, "send", "org/target/0") == guard.check(
        SENDER, "send", TARGET, 0.0
    )
    guard.authorise_message(SENDER, "send", TARGET, 0.0)


def test_a_neighbour_with_our_name_as_its_prefix_is_not_meant() -> None:
    """`org/target/*` does not reach `org/target2`."""
    guard = _guard(send=["org/target/*"])
    assert (True, False) == (_may(guard, "send", TARGET), _may(guard, "send", NEIGHBOUR))


def test_a_grant_for_one_component_is_not_one_for_another() -> None:
    """Grants are kept by the whole id."""
    guard = _guard(send=["*"], storage=["read"])
    assert not guard.check(NEIGHBOUR, "send", TARGET, 0.0).granted
    assert not guard.check(NEIGHBOUR, "storage.read", NEIGHBOUR, 0.0).granted


def test_grants_add_up() -> None:
    """A later grant takes nothing away."""
    guard = _guard(send=["org/target/*"])
    guard.grant(SENDER, Capabilities(storage=["read"]))
    assert {"send", "request", "broadcast", "storage.read"} == {action for action in ACTIONS if _may(guard, action)}
    assert 2 == len(guard.grants(SENDER))


@pytest.mark.parametrize(("now", "granted"), [(9.0, True), (10.0, True), (10.001, False), (1e9, False)])
def test_a_grant_holds_up_to_its_last_second(now: float, granted: bool) -> None:
    """It has expired when `now > expires_at`."""
    guard = Guard()
    guard.grant(SENDER, Capabilities(send=["*"], storage=["write"]), expires_at=10.0)
    assert (granted, granted) == (_may(guard, "send", now=now), _may(guard, "storage.write", now=now))


def test_an_expiring_grant_expires_beside_a_lasting_one() -> None:
    """What was allowed a moment ago is asked anew; expired grants are dropped."""
    guard = _guard(send=["org/target/*"])
    guard.grant(SENDER, Capabilities(send=["org/target2/*"]), expires_at=10.0)
    assert [True, True] == [_may(guard, "send", target, 10.0) for target in (TARGET, NEIGHBOUR)]
    assert [True, False] == [_may(guard, "send", target, 11.0) for target in (TARGET, NEIGHBOUR)]
    assert (Grant(Capabilities(send=["org/target/*"])),) == guard.grants(SENDER)


def test_a_grant_that_expires_at_time_zero_expires() -> None:
    """Zero is a time, not the absence of one."""
    guard = Guard()
    guard.grant(SENDER, Capabilities(send=["*"]), expires_at=0.0)
    assert (True, False) == (_may(guard, "send", now=0.0), _may(guard, "send", now=1.0))


def test_revoking_takes_effect_from_the_next_decision_on() -> None:
    """Also for a pair that has just been allowed; revoking twice is silent."""
    guard = _guard(send=["*"], storage=["read"])
    assert _may(guard, "send")
    guard.revoke(SENDER)
    guard.revoke(SENDER)
    assert set() == {action for action in ACTIONS if _may(guard, action)}


def test_the_target_decides_who_reaches_it() -> None:
    """A grant of the sender is not enough."""
    guard = _guard(send=["*"])
    guard.grant(TARGET, Capabilities(receive_from=["org/other/*"]))
    decision = guard.check(SENDER, "send", TARGET, 0.0)
    assert (
        Decision(False, "org/target/0 does not receive from org/sender/0", SENDER, "send", "org/target/0") == decision
    )
    with pytest.raises(CapabilityDenied, match="org/target/0 does not receive from org/sender/0"):
        guard.authorise_message(SENDER, "send", TARGET, 0.0)


def test_without_a_grant_the_answer_does_not_tell_of_the_target() -> None:
    """Nothing is learned about whom a target receives from."""
    guard = Guard()
    before = guard.check(SENDER, "send", TARGET, 0.0)
    guard.grant(TARGET, Capabilities(receive_from=[]))
    assert before == guard.check(SENDER, "send", TARGET, 0.0)


def test_each_receive_from_of_a_target_has_to_admit() -> None:
    """A further grant does not open what another one closes, whether it admits all or just this sender."""
    guard = _guard(send=["*"])
    guard.grant(TARGET, Capabilities(receive_from=["org/other/*"]))
    guard.grant(TARGET, Capabilities(send=["*"]))
    guard.grant(TARGET, Capabilities(receive_from=["org/sender/*"]))
    assert not _may(guard, "send")


def test_taking_rights_from_a_target_does_not_open_it() -> None:
    """Neither revoking nor expiry widens receive_from; only forgetting the component ends it."""
    guard = _guard(send=["*"])
    guard.grant(TARGET, Capabilities(receive_from=["org/other/*"], send=["*"]), expires_at=1.0)
    assert not guard.check(TARGET, "send", SENDER, 2.0).granted
    assert not _may(guard, "send", now=2.0)
    guard.revoke(TARGET)
    assert not _may(guard, "send", now=2.0)
    guard.forget(TARGET)
    assert _may(guard, "send", now=2.0)


def test_receive_from_is_not_about_storage() -> None:
    """A component that receives from nobody still reads what is its own."""
    guard = _guard(storage=["read"], receive_from=[])
    assert Decision(True, "grant storage.read", SENDER, "storage.read", str(SENDER)) == guard.check(
        SENDER, "storage.read", SENDER, 0.0
    )
    guard.authorise_storage(SENDER, "read", 0.0)


@pytest.mark.parametrize("action", ["read", "write"])
def test_storage_is_refused_without_a_grant(action: StorageAction) -> None:
    """The resource is the component whose storage it is."""
    with pytest.raises(CapabilityDenied, match=f"org/sender/0 may not storage.{action} org/sender/0: no grant"):
        _guard(send=["*"]).authorise_storage(SENDER, action, 0.0)


def test_host_code_needs_no_grant_and_is_always_received() -> None:
    """The namespace is reserved, so no guest can pose as the host."""
    guard = Guard()
    guard.grant(TARGET, Capabilities(receive_from=[]))
    guard.authorise_message(HOST, "send", TARGET, 0.0)
    assert "host code needs no grant" == guard.check(HOST, "request", TARGET, 0.0).reason


def test_a_guest_needs_a_grant_to_reach_host_code() -> None:
    """The exception is for the sender only."""
    assert not _may(Guard(), "send", HOST)
    assert _may(_guard(send=["host/app/*"]), "send", HOST)


def test_a_forgotten_component_starts_anew() -> None:
    """An id that is loaded again inherits nothing."""
    guard = _guard(send=["*"])
    guard.forget(SENDER)
    guard.forget(SENDER)
    assert () == guard.grants(SENDER)
    assert not _may(guard, "send")


def test_reachable_lists_those_one_may_send_to_in_their_order() -> None:
    """Permission to request is not permission to send; doors and expiry count."""
    guard = Guard()
    closed = ComponentId("org", "closed", "0")
    candidates = [NEIGHBOUR, closed, TARGET, SENDER]
    guard.grant(SENDER, Capabilities(send=["org/target/*", "org/closed/*"], request=["*"]))
    guard.grant(SENDER, Capabilities(send=["org/target2/*"]), expires_at=5.0)
    guard.grant(closed, Capabilities(receive_from=[]))
    assert [NEIGHBOUR, TARGET] == guard.reachable(SENDER, candidates, 5.0)
    assert [TARGET] == guard.reachable(SENDER, iter(candidates), 6.0)
    assert [] == guard.reachable(TARGET, candidates, 0.0)
    assert candidates == guard.reachable(HOST, candidates, 0.0)


def test_what_is_remembered_is_bounded() -> None:
    """A guest that addresses ever new ids does not fill the memory."""
    guard = _guard(send=["org/*"])
    for number in range(10_000):
        assert guard.check(SENDER, "send", ComponentId("org", "t", str(number)), 0.0).granted
    assert 4096 >= len(guard._known)


IDS = st.sampled_from([ComponentId("n", name, "0") for name in "abc"])
CAPABILITIES = st.builds(
    Capabilities,
    send=st.lists(st.sampled_from(["*", "n/a/*", "n/b/0", "*.x"]), max_size=2),
    receive_from=st.sampled_from([["*"], ["*"], [], ["n/a/*"]]),
)
STEPS = st.one_of(
    st.tuples(st.just("grant"), IDS, CAPABILITIES, st.none() | st.integers(0, 20)),
    st.tuples(st.sampled_from(["revoke", "forget"]), IDS),
    st.tuples(st.just("ask"), IDS, IDS),
)


@given(st.lists(STEPS, max_size=30))
def test_a_history_of_grants_gives_what_a_naive_guard_gives(steps: list[tuple[Any, ...]]) -> None:
    """The oracle remembers nothing but the list of grants and asks all of them each time."""
    guard, grants, doors = Guard(), list[tuple[Any, ...]](), list[tuple[Any, ...]]()
    for now, (step, who, *rest) in enumerate(steps):
        match step:
            case "grant":
                guard.grant(who, *rest)
                grants.append((who, *rest))
                doors.append((who, rest[0]))
            case "ask":
                granted = any(
                    who == holder and held.permits("send", str(rest[0])) and (until is None or now <= until)
                    for holder, held, until in grants
                )
                admitted = all(door.admits(str(who)) for target, door in doors if target == rest[0])
                assert (granted and admitted) == guard.check(who, "send", rest[0], now).granted
                assert ([rest[0]] if granted and admitted else []) == guard.reachable(who, rest, now)
            case _:
                getattr(guard, step)(who)
                grants = [grant for grant in grants if grant[0] != who]
                doors = [door for door in doors if door[0] != who or step == "revoke"]
