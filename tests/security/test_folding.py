from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.core.ids import ComponentId
from airssys_wasm.security.decision import AuditEntry, Decision
from airssys_wasm.security.folding import MOST_WINDOWS, WINDOW, Folding

WHO = ComponentId("org", "a", "0")


def _denied(resource: str = "org/b/0", reason: str = "no grant permits it") -> Decision:
    return Decision(granted=False, reason=reason, component=WHO, action="send", resource=resource)


GRANTED = Decision(granted=True, reason="grant *", component=WHO, action="send", resource="org/b/0")


def _taken(folding: Folding, *steps: tuple[Decision, float]) -> list[AuditEntry]:
    return [entry for step in steps for entry in folding.take(*step)]


def test_what_is_granted_is_written_each_time() -> None:
    """Only denials are folded."""
    assert [AuditEntry.of(GRANTED, 1.0), AuditEntry.of(GRANTED, 1.0)] == _taken(
        Folding(), (GRANTED, 1.0), (GRANTED, 1.0)
    )


def test_a_denial_is_written_at_once_and_its_like_when_the_window_closes() -> None:
    """The summary has the count of the folded ones and the time of the last."""
    folding = Folding()
    assert [AuditEntry.of(_denied(), 10.0)] == _taken(folding, (_denied(), 10.0), (_denied(), 11.0), (_denied(), 14.9))
    assert [] == folding.due(14.99)
    assert [AuditEntry.of(_denied(), 14.9, count=2)] == folding.due(15.0)
    assert [] == folding.flush()


def test_the_next_denial_after_the_window_is_written_behind_the_summary() -> None:
    """It opens a window of its own."""
    folding = Folding()
    assert [AuditEntry.of(_denied(), 0.0), AuditEntry.of(_denied(), 4.0, count=1), AuditEntry.of(_denied(), 5.0)] == (
        _taken(folding, (_denied(), 0.0), (_denied(), 4.0), (_denied(), 5.0))
    )
    assert 10.0 == folding.next_due()


def test_a_window_without_a_repetition_gives_no_summary() -> None:
    """There is nothing to say."""
    folding = Folding()
    folding.take(_denied(), 0.0)
    assert [] == folding.due(100.0)
    assert None is folding.next_due()


@pytest.mark.parametrize("other", [_denied("org/c/0"), _denied(reason="closed"), GRANTED])
def test_what_differs_in_anything_is_not_folded(other: Decision) -> None:
    """Component, action, resource and reason."""
    assert [AuditEntry.of(_denied(), 0.0), AuditEntry.of(other, 1.0)] == _taken(
        Folding(), (_denied(), 0.0), (other, 1.0)
    )


def test_flushing_closes_all_windows() -> None:
    """In the order in which they were opened."""
    folding = Folding()
    _taken(folding, *((_denied(name), now) for now in (0.0, 1.0) for name in ("org/b/0", "org/a/0")))
    assert [AuditEntry.of(_denied(name), 1.0) for name in ("org/b/0", "org/a/0")] == folding.flush()


def test_ever_new_denials_close_the_oldest_windows() -> None:
    """A guest that tries every address does not fill memory, and hides nothing by it."""
    folding = Folding()
    _taken(folding, (_denied("first"), 0.0), (_denied("first"), 0.0))
    entries = _taken(folding, *((_denied(str(number)), 0.0) for number in range(MOST_WINDOWS)))
    assert MOST_WINDOWS == len(folding._windows)
    assert AuditEntry.of(_denied("first"), 0.0, count=1) in entries


def test_a_clock_that_was_set_back_starts_anew() -> None:
    """Otherwise a denial could stay unwritten for as long as the clock went back."""
    folding = Folding()
    _taken(folding, (_denied(), 1000.0), (_denied(), 1001.0))
    assert [AuditEntry.of(_denied(), 1001.0, count=1), AuditEntry.of(_denied(), 10.0)] == folding.take(_denied(), 10.0)
    assert 15.0 == folding.next_due()


def test_a_window_from_before_the_clock_was_set_back_keeps_no_later_one_open() -> None:
    """Each ends five seconds after its own first denial."""
    folding = Folding()
    _taken(folding, (_denied("org/c/0"), 1000.0), (_denied(), 10.0))
    assert [AuditEntry.of(_denied(), 20.0)] == folding.take(_denied(), 20.0)


DECISIONS = st.sampled_from([GRANTED, _denied(), _denied("org/c/0")])


@given(st.lists(st.tuples(DECISIONS, st.floats(0, 30)), max_size=40), st.booleans())
def test_the_counts_add_up_to_the_decisions(steps: list[tuple[Decision, float]], in_order: bool) -> None:
    """Whatever the clock does, no decision is lost or told twice."""
    folding = Folding()
    steps = sorted(steps, key=lambda step: step[1]) if in_order else steps
    entries = [*_taken(folding, *steps), *folding.flush()]
    counted = Counter[tuple[bool, str]]()
    for entry in entries:
        counted[entry.granted, entry.resource] += entry.count
    assert Counter((decision.granted, decision.resource) for decision, _ in steps) == counted


@given(st.lists(st.floats(0, 30), min_size=1, max_size=40).map(sorted))
def test_no_denial_waits_longer_than_the_window(times: list[float]) -> None:
    """A naive oracle: the first of each window opens it, the others come in its summary."""
    folding, openings = Folding(), list[float]()
    for now in times:
        if not openings or now >= openings[-1] + WINDOW:
            openings.append(now)
    singles = [entry.time for entry in _taken(folding, *((_denied(), now) for now in times)) if entry.time in openings]
    assert openings == sorted(set(singles))
    assert openings[-1] + WINDOW == folding.next_due()
