"""The documented behaviour of the OTP supervisor as a table: strategy x restart type x end x position."""

from itertools import product
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.actor import restarts
from airssys_wasm.actor.restarts import RestartPolicy, RestartWindow
from airssys_wasm.actor.strategies import Escalate, Group, Leave, Member, Plan, Regroup, Strategy, plan
from airssys_wasm.core.config import Restart
from airssys_wasm.core.exits import ExitKind, ExitReason

NOW = 7.0
ENDS = {
    "crashed": ExitReason(ExitKind.CRASHED, "trap"),
    "interrupted": ExitReason(ExitKind.INTERRUPTED),
    "stopped": ExitReason(ExitKind.STOPPED),
    "gave up": ExitReason(ExitKind.FAILED, "too many restarts"),
}

WHAT_FOLLOWS = {
    ("permanent", "crashed"): "strategy",
    ("permanent", "interrupted"): "alone",
    ("permanent", "stopped"): "gone",
    ("permanent", "gave up"): "strategy",
    ("transient", "crashed"): "strategy",
    ("transient", "interrupted"): "alone",
    ("transient", "stopped"): "gone",
    ("transient", "gave up"): "rests",
    ("temporary", "crashed"): "gone",
    ("temporary", "interrupted"): "alone",
    ("temporary", "stopped"): "gone",
    ("temporary", "gave up"): "gone",
}
"""Whether an end is followed by the strategy, by the type of the child (OTP: `Restart` of a child specification)."""

STOP_AND_START = {
    ("one_for_one", "a"): ("", "a"),
    ("one_for_one", "b"): ("", "b"),
    ("one_for_one", "c"): ("", "c"),
    ("one_for_all", "a"): ("cb", "abc"),
    ("one_for_all", "b"): ("ca", "abc"),
    ("one_for_all", "c"): ("ba", "abc"),
    ("rest_for_one", "a"): ("cb", "abc"),
    ("rest_for_one", "b"): ("c", "bc"),
    ("rest_for_one", "c"): ("", "c"),
}
"""Whom the strategy stops and starts when that one of a, b and c has ended (OTP: `RestartStrategy`)."""

EVERY_CASE = list(product(Strategy, Restart, ENDS, "abc"))


def group(*restart_types: Restart | str, down: str = "") -> tuple[Member[str], ...]:
    """The children a, b, c, ... of a group."""
    return tuple(
        Member(name, Restart(restart), up=name not in down)
        for name, restart in zip("abcdefgh", restart_types, strict=False)
    )


def made(members: tuple[Member[str], ...], ended: str, how: str = "crashed", **settings: Any) -> Plan[str]:
    """The plan of a group, one_for_all and without a restart so far unless the settings say so."""
    usual: dict[str, Any] = {"strategy": Strategy.ONE_FOR_ALL, "policy": RestartPolicy()}
    return plan(Group(members=members, **usual | settings), ended, ENDS[how], NOW)


def regroup(stop: str, start: str, delay: float = 0.1, *, counted: bool = True) -> Regroup[str]:
    """The first restart of a group, or one that does not count."""
    window = RestartWindow((NOW,) if counted else ())
    return Regroup(tuple(stop), tuple(start), delay, int(counted), window)


@pytest.mark.parametrize(("strategy", "restart", "how", "who"), EVERY_CASE, ids=str)
def test_each_end_of_each_child_under_each_strategy(strategy: Strategy, restart: Restart, how: str, who: str) -> None:
    """The siblings are permanent and running; the tables above say what an OTP engineer expects."""
    members = tuple(
        attrs.evolve(member, restart=restart) if member.key == who else member for member in group(*["permanent"] * 3)
    )
    expected: Plan[str]
    match WHAT_FOLLOWS[restart, how]:
        case "strategy":
            expected = regroup(*STOP_AND_START[strategy, who])
        case "alone":
            expected = regroup("", who, 0.0, counted=False)
        case follows:
            expected = Leave(rests=follows == "rests")
    assert expected == made(members, who, how, strategy=strategy)


@pytest.mark.parametrize(
    ("strategy", "stop", "start"),
    [("one_for_one", "", "b"), ("one_for_all", "ca", "bd"), ("rest_for_one", "c", "bd")],
)
def test_a_temporary_sibling_is_stopped_and_not_started_again(strategy: str, stop: str, start: str) -> None:
    """Also when it is only waiting for its own start: it is in the way of nobody, and never comes back."""
    members = group("temporary", "permanent", "temporary", "transient", down="d")
    assert regroup(stop, start) == made(members, "b", strategy=Strategy(strategy))
    waiting = group("temporary", "permanent", "temporary", "transient", down="acd")
    assert regroup(stop, start) == made(waiting, "b", strategy=Strategy(strategy))


@pytest.mark.parametrize(
    ("strategy", "stop", "start"),
    [("one_for_one", "", "b"), ("one_for_all", "da", "abcd"), ("rest_for_one", "d", "bcd")],
)
def test_what_is_down_is_started_with_the_others(strategy: str, stop: str, start: str) -> None:
    """A supervisor that rests, or a child whose own start was still to come: nothing to stop, but to start."""
    members = group("permanent", "permanent", "transient", "permanent", down="c")
    assert regroup(stop, start) == made(members, "b", strategy=Strategy(strategy))


@pytest.mark.parametrize("strategy", Strategy)
def test_restarts_count_for_the_group(strategy: Strategy) -> None:
    """Three different children use up an intensity of three; the back-off doubles as for one."""
    window, delays = RestartWindow(), list[float]()
    members = group(*["permanent"] * 4)
    for who in "abc":
        follows = made(members, who, strategy=strategy, window=window)
        assert isinstance(follows, Regroup)
        window, delays = follows.window, [*delays, follows.delay]
    assert [0.1, 0.2, 0.4] == delays
    assert Escalate(("c", "b", "a")) == made(members, "d", strategy=strategy, window=window)


@pytest.mark.parametrize("strategy", Strategy)
def test_giving_up_stops_all_that_is_up_in_reverse_order(strategy: Strategy) -> None:
    """Whatever the strategy and the types; what is down needs no stop."""
    members = group("temporary", "permanent", "transient", "permanent", "transient", down="d")
    follows = made(members, "b", strategy=strategy, policy=RestartPolicy(intensity=0))
    assert Escalate(("e", "c", "a")) == follows


def test_a_start_that_fails_counts_and_is_followed_like_a_crash() -> None:
    """What had been started before it is stopped again under one_for_all, and lives on under rest_for_one."""
    members = group(*["permanent"] * 4, down="bcd")
    window = RestartWindow((NOW,))
    again = {"delay": 0.2, "attempt": 2, "window": RestartWindow((NOW, NOW))}
    for_all = made(members, "b", window=window)
    assert Regroup(stop=("a",), start=tuple("abcd"), **again) == for_all  # type: ignore[arg-type]
    for_rest = made(members, "b", strategy=Strategy.REST_FOR_ONE, window=window)
    assert Regroup(stop=(), start=tuple("bcd"), **again) == for_rest  # type: ignore[arg-type]


def test_jitter_reaches_the_plan() -> None:
    """One roll for the group."""
    alone = Group(strategy=Strategy.ONE_FOR_ONE, policy=RestartPolicy(jitter=1), members=group("permanent"))
    assert regroup("", "a", 0.05) == plan(alone, "a", ENDS["crashed"], NOW, roll=0.5)


def _as_supervisor_erl(strategy: Strategy, members: tuple[Member[str], ...], ended: str) -> tuple[list[str], list[str]]:
    """What `supervisor.erl` does, in its own words: who is terminated and who is started, in order.

    Its child list is kept in reverse start order; terminating goes through it from the head, starting from the tail,
    and what is temporary is left out of the list of the terminated.
    """
    children = list(reversed(members))
    place = [member.key for member in children].index(ended)
    before, after = children, list[Member[str]]()
    if strategy is Strategy.ONE_FOR_ONE:
        before = [children[place]]
    elif strategy is Strategy.REST_FOR_ONE:
        before, after = children[: place + 1], children[place + 1 :]
    terminated = [m.key for m in before if m.key != ended and (m.up or m.restart is Restart.TEMPORARY)]
    kept = [m.key for m in before if m.restart is not Restart.TEMPORARY]
    assert not set(kept) & {m.key for m in after}
    return terminated, kept[::-1]


MEMBERS = st.lists(st.tuples(st.sampled_from(Restart), st.booleans()), min_size=1, max_size=6).map(
    lambda drawn: tuple(Member(name, restart, up) for name, (restart, up) in zip("abcdef", drawn, strict=False))
)
TIMES = st.lists(st.integers(0, 7), max_size=4).map(lambda times: RestartWindow(tuple(map(float, sorted(times)))))


POLICIES = st.builds(RestartPolicy, intensity=st.integers(0, 4), window=st.just(3))
GROUPS = st.builds(Group, strategy=st.sampled_from(Strategy), policy=POLICIES, members=MEMBERS, window=TIMES)


@given(GROUPS, st.sampled_from(list(ENDS)), st.data())
def test_every_plan_is_that_of_otp(group: Group[str], how: str, data: st.DataObject) -> None:
    """Who is concerned, against the algorithm of `supervisor.erl`; whether and when, against the plan of one child."""
    ended = data.draw(st.sampled_from(group.members))
    follows = plan(group, ended.key, ENDS[how], NOW)
    alone = restarts.plan(attrs.evolve(group.policy, restart=ended.restart), group.window, ENDS[how], NOW)
    if isinstance(follows, Leave):
        assert ((how, ended.restart) == ("gave up", Restart.TRANSIENT)) is follows.rests
        assert follows.rests or alone == restarts.Gone()
    elif isinstance(follows, Escalate):
        assert isinstance(alone, restarts.GiveUp)
        up = [member.key for member in group.members if member.up and member is not ended]
        assert up[::-1] == list(follows.stop)
    elif how == "interrupted":
        assert ((), (ended.key,), 0.0) == (follows.stop, follows.start, follows.delay)
        assert restarts.RestartAfter(0.0, follows.attempt, follows.window) == alone
    else:
        expected = _as_supervisor_erl(group.strategy, tuple(group.members), ended.key)
        assert expected == (list(follows.stop), list(follows.start))
        assert restarts.RestartAfter(follows.delay, follows.attempt, follows.window) == alone
