import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.actor.health import VERDICTS, HealthRecord, answered, called, health_of, missed, ready
from airssys_wasm.core.health import HealthCheck
from airssys_wasm.core.observations import ActorState
from airssys_wasm.core.ports import HealthStatus

CHECK = HealthCheck()
HEALTHY, DEGRADED, UNHEALTHY, UNKNOWN = (HealthStatus(word) for word in ("healthy", "degraded", "unhealthy", "unknown"))


def test_every_answer_has_a_verdict() -> None:
    """What a guest can say is in the table."""
    assert set(HealthStatus) == set(VERDICTS)


def test_the_first_call_is_due_an_interval_after_the_start() -> None:
    """A component gets time to warm up."""
    assert HealthRecord(None, 0, 110.0) == ready(CHECK, 100.0)


def test_the_time_to_answer_begins_with_the_call() -> None:
    """However long it was due before."""
    assert 505.0 == called(CHECK, ready(CHECK, 100.0), 500.0).due


@pytest.mark.parametrize(
    ("answers", "bad"),
    [
        ([HEALTHY], 0),
        ([UNHEALTHY, UNHEALTHY], 2),
        ([UNHEALTHY, UNHEALTHY, HEALTHY, UNHEALTHY], 1),
        ([UNHEALTHY, UNHEALTHY, DEGRADED, UNHEALTHY], 1),
        ([DEGRADED] * 100, 0),
        ([UNHEALTHY, UNKNOWN, UNHEALTHY], 2),
        ([UNKNOWN] * 100, 0),
        ([UNHEALTHY] * 3, 3),
    ],
)
def test_what_answers_in_time_count(answers: list[HealthStatus], bad: int) -> None:
    """One good answer resets the count, degraded is good enough, and who does not know changes nothing."""
    record = ready(CHECK, 0.0)
    for at, status in enumerate(answers):
        record = answered(CHECK, called(CHECK, record, at * 10.0), status, at * 10.0 + 1.0)
    assert (bad, answers[-1], bad >= 3) == (record.bad, record.status, record.is_unhealthy(CHECK))


def test_an_answer_exactly_in_time_is_in_time() -> None:
    """The bound belongs to the good."""
    record = called(CHECK, ready(CHECK, 0.0), 10.0)
    assert HealthRecord(HEALTHY, 0, 25.0) == answered(CHECK, record, HEALTHY, 15.0)


def test_a_late_answer_is_a_bad_one_whether_or_not_somebody_noticed() -> None:
    """With a loop that was held for long the answer may be seen before the deadline is."""
    record = called(CHECK, ready(CHECK, 0.0), 10.0)
    unnoticed = answered(CHECK, record, HEALTHY, 16.0)
    noticed = answered(CHECK, missed(CHECK, record), HEALTHY, 16.0)
    assert unnoticed == noticed == HealthRecord(UNHEALTHY, 1, 26.0)


STATUSES = st.sampled_from(HealthStatus)
CALLS = st.lists(st.tuples(st.integers(0, 60), STATUSES), max_size=20)


@given(st.integers(1, 20), st.integers(1, 20), CALLS)
def test_the_count_is_that_of_a_naive_list(interval: int, timeout: int, calls: list[tuple[int, HealthStatus]]) -> None:
    """Each moment at which an answer is missing is a bad one; the count is that of the bad ones at the list's end."""
    check = HealthCheck(interval=interval, timeout=timeout)
    record, now, verdicts = ready(check, 0.0), float(interval), list[str]()
    for seconds, status in calls:
        record = called(check, record, now)
        begun, now = now, now + seconds
        while record.due < now:
            record = missed(check, record)
        record = answered(check, record, status, now)
        late = sum(begun + timeout + further * interval < now for further in range(60))
        verdicts += ["bad"] * late if late else [VERDICTS[status]]
        now += interval
        assert now == record.due
    counted = [verdict for verdict in verdicts if verdict != "neither"]
    assert len(list(itertools.takewhile(lambda verdict: verdict == "bad", reversed(counted)))) == record.bad


@pytest.mark.parametrize("state", ActorState)
@pytest.mark.parametrize("answer", [None, *HealthStatus])
def test_others_are_told_its_answer_only_while_it_can_be_reached(
    state: ActorState, answer: HealthStatus | None
) -> None:
    """One that has crashed is not healthy, whatever it said before."""
    told = health_of(state, answer)
    if answer is not None and state in {ActorState.RUNNING, ActorState.ASLEEP}:
        assert answer is told
    else:
        assert health_of(state, None) is told
