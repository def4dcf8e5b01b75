import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.actor.restarts import GiveUp, Gone, Plan, RestartAfter, RestartPolicy, RestartWindow, plan
from airssys_wasm.core.config import Restart
from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.exits import ExitKind, ExitReason

CRASHED = ExitReason(ExitKind.CRASHED, "trap")
INTERRUPTED = ExitReason(ExitKind.INTERRUPTED)
STOPPED = ExitReason(ExitKind.STOPPED)
START_FAILED = ExitReason(ExitKind.FAILED, "initialize")
PERMANENT, TRANSIENT, TEMPORARY = (RestartPolicy(restart=restart) for restart in Restart)


def _run(policy: RestartPolicy, ends: list[tuple[float, ExitReason]]) -> list[Plan]:
    """The plans for a history of ends, each with the window of the one before."""
    window, plans = RestartWindow(), list[Plan]()
    for now, reason in ends:
        plans.append(plan(policy, window, reason, now))
        window = getattr(plans[-1], "window", window)
    return plans


def _shown(made: Plan) -> str:
    return f"in {made.delay:g}" if isinstance(made, RestartAfter) else type(made).__name__


@pytest.mark.parametrize(
    ("reason", "permanent", "transient", "temporary"),
    [
        (CRASHED, "in 0.1", "in 0.1", "Gone"),
        (START_FAILED, "in 0.1", "in 0.1", "Gone"),
        (INTERRUPTED, "in 0", "in 0", "in 0"),
        (STOPPED, "Gone", "Gone", "Gone"),
    ],
    ids=["crashed", "start failed", "interrupted", "stopped"],
)
def test_restart_type_and_exit_decide(reason: ExitReason, permanent: str, transient: str, temporary: str) -> None:
    """The table of the guarantees, for a component that has not been restarted yet."""
    plans = [plan(policy, RestartWindow(), reason, 0.0) for policy in (PERMANENT, TRANSIENT, TEMPORARY)]
    assert [permanent, transient, temporary] == [_shown(made) for made in plans]


def test_transient_with_three_restarts_a_minute_is_the_default() -> None:
    """100 ms, doubling, at most 30 s, no jitter."""
    policy = RestartPolicy()
    assert (Restart.TRANSIENT, 3, 60.0) == (policy.restart, policy.intensity, policy.window)
    assert (0.1, 2.0, 30.0, 0.0) == (
        policy.backoff_initial,
        policy.backoff_factor,
        policy.backoff_max,
        policy.jitter,
    )


def test_three_restarts_and_the_next_failure_gives_up() -> None:
    """The back-off doubles with each restart of the window."""
    plans = _run(PERMANENT, [(float(second), CRASHED) for second in range(4)])
    assert ["in 0.1", "in 0.2", "in 0.4", "GiveUp"] == [_shown(made) for made in plans]
    assert [1, 2, 3] == [made.attempt for made in plans if isinstance(made, RestartAfter)]
    assert plans[-1] == GiveUp(RestartWindow((0.0, 1.0, 2.0)))


def test_restarts_leave_the_window_one_by_one() -> None:
    """It slides: a restart still counts at exactly 60 s, as in OTP, and not after."""
    crashes = [(0.0, CRASHED), (30.0, CRASHED), (50.0, CRASHED)]
    at_60, after_60 = (_run(TRANSIENT, [*crashes, (now, CRASHED)])[-1] for now in (60.0, 60.001))
    assert isinstance(at_60, GiveUp)
    assert after_60 == RestartAfter(0.4, 3, RestartWindow((30.0, 50.0, 60.001)))


def test_calm_resets_the_backoff() -> None:
    """After a quiet window the first restart is quick again."""
    plans = _run(TRANSIENT, [(0.0, CRASHED), (1.0, CRASHED), (100.0, CRASHED)])
    assert ["in 0.1", "in 0.2", "in 0.1"] == [_shown(made) for made in plans]


def test_a_start_that_fails_counts_like_a_crash() -> None:
    """A component that never comes up again ends as failed, not in an endless loop."""
    plans = _run(TRANSIENT, [(0.0, CRASHED), *[(float(second), START_FAILED) for second in (1, 2, 3)]])
    assert ["in 0.1", "in 0.2", "in 0.4", "GiveUp"] == [_shown(made) for made in plans]


def test_interruptions_neither_wait_nor_count() -> None:
    """However many there are, and also when the intensity is used up."""
    plans = _run(TRANSIENT, [(float(second), CRASHED) for second in range(3)] + [(3.0, INTERRUPTED)] * 10)
    assert ["in 0"] * 10 == [_shown(made) for made in plans[3:]]
    assert plans[-1] == RestartAfter(0.0, 3, RestartWindow((0.0, 1.0, 2.0)))


def test_intensity_zero_gives_up_at_the_first_crash() -> None:
    """OTP allows it: restart never, but say so as a failure."""
    assert GiveUp(RestartWindow()) == plan(RestartPolicy(intensity=0), RestartWindow(), CRASHED, 0.0)


def test_what_has_ended_for_good_keeps_no_window() -> None:
    """Gone is gone."""
    assert [Gone(), Gone()] == [plan(TEMPORARY, RestartWindow((0.0,)), reason, 1.0) for reason in (CRASHED, STOPPED)]


@pytest.mark.parametrize(("attempt", "delay"), [(1, 0.1), (2, 0.2), (9, 25.6), (10, 30.0), (5000, 30.0), (10**9, 30.0)])
def test_backoff_is_bounded_however_often(attempt: int, delay: float) -> None:
    """Also where the power is too large for a float."""
    assert delay == RestartPolicy().backoff(attempt)


def test_backoff_can_be_switched_off() -> None:
    """Zero stays zero, also where the power is too large for a float."""
    assert [0.0, 0.0] == [RestartPolicy(backoff_initial=0).backoff(attempt) for attempt in (1, 10**9)]


def test_a_factor_of_one_keeps_the_delay() -> None:
    """Constant back-off."""
    assert [0.5] * 3 == [RestartPolicy(backoff_initial=0.5, backoff_factor=1).backoff(n) for n in (1, 2, 10**9)]


def test_jitter_shortens_the_delay_by_its_share() -> None:
    """So the ceiling holds with jitter too; without jitter the roll has no part in it."""
    assert [30.0, 22.5, 15.0] == [RestartPolicy(jitter=0.5).backoff(100, roll) for roll in (0.0, 0.5, 1.0)]
    assert 30.0 == RestartPolicy().backoff(100, 0.9)
    assert RestartAfter(0.05, 1, RestartWindow((7.0,))) == plan(
        RestartPolicy(jitter=1), RestartWindow(), CRASHED, 7.0, roll=0.5
    )


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("restart", "always", 'is not one of "permanent", "transient", "temporary"'),
        ("intensity", -1, "is negative"),
        ("intensity", 1.5, "is not a whole number"),
        ("intensity", True, "is not a whole number"),
        ("window", 0, "is not positive"),
        ("window", "60", "is not a number"),
        ("window", math.inf, "is not finite"),
        ("backoff_initial", -0.1, "is negative"),
        ("backoff_initial", math.nan, "is not finite"),
        ("backoff_factor", 0.5, "is less than 1"),
        ("backoff_max", -1, "is negative"),
        ("backoff_max", None, "is not a number"),
        ("jitter", 1.1, "is not from 0 to 1"),
        ("jitter", False, "is not a number"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(field: str, value: Any, problem: str) -> None:
    """At construction, naming the field."""
    with pytest.raises(ConfigError) as caught:
        RestartPolicy(**{field: value})
    assert (field, problem) == (caught.value.field, caught.value.problem)


def test_the_restart_type_may_be_given_by_its_name() -> None:
    """As it stands in TOML."""
    restart: Any = "permanent"
    assert RestartPolicy(restart=restart) == PERMANENT


POLICIES = st.builds(
    RestartPolicy,
    restart=st.sampled_from(Restart),
    intensity=st.integers(0, 5),
    window=st.integers(1, 20),
    backoff_initial=st.sampled_from([0, 0.25, 1]),
    backoff_factor=st.sampled_from([1, 2, 3]),
    backoff_max=st.sampled_from([0, 1, 30]),
)
HISTORIES = st.lists(
    st.tuples(st.integers(0, 8), st.sampled_from([CRASHED, CRASHED, CRASHED, START_FAILED, INTERRUPTED])), max_size=40
)


@given(POLICIES, HISTORIES)
def test_a_history_of_ends_is_planned_like_the_naive_oracle_does(
    policy: RestartPolicy, history: list[tuple[int, ExitReason]]
) -> None:
    """The oracle keeps all restarts for ever and counts them anew each time, the doubling step by step."""
    now, window, restarts = 0.0, RestartWindow(), list[float]()
    for pause, reason in history:
        now += pause
        made = plan(policy, window, reason, now)
        recent = [time for time in restarts if time >= now - policy.window]
        if reason is INTERRUPTED:
            assert made == RestartAfter(0.0, len(recent), RestartWindow(tuple(recent)))
        elif policy.restart is Restart.TEMPORARY:
            assert made == Gone()
        elif len(recent) + 1 > policy.intensity:
            assert made == GiveUp(RestartWindow(tuple(recent)))
        else:
            restarts.append(now)
            counted = RestartWindow((*recent, now))
            assert made == RestartAfter(_slow_backoff(policy, len(recent)), len(recent) + 1, counted)
        window = getattr(made, "window", window)


def _slow_backoff(policy: RestartPolicy, doublings: int) -> float:
    delay = policy.backoff_initial
    for _ in range(doublings):
        delay *= policy.backoff_factor
    return min(delay, policy.backoff_max)


@given(st.lists(st.integers(0, 30), max_size=20).map(sorted), st.integers(0, 60), st.integers(1, 60))
def test_sliding_keeps_exactly_the_recent_ones(times: list[int], later: int, window: int) -> None:
    """In order, each once, none invented."""
    now = max(times, default=0) + later
    expected = [time for time in times if now - window <= time]
    assert expected == list(RestartWindow(tuple(times)).sliding(now, window).times)
