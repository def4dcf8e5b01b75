import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.actor import lifecycle
from airssys_wasm.actor.lifecycle import TRANSITIONS, LifecycleEvent, LifecycleViolation, advance
from airssys_wasm.core.observations import ActorState


def _after(*events: str, state: ActorState = ActorState.STARTING) -> str:
    for event in events:
        state = advance(state, LifecycleEvent(event))
    return state.value


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ((), "starting"),
        (("started",), "running"),
        (("start_failed",), "stopped"),
        (("started", "crashed"), "restarting"),
        (("started", "crashed", "started"), "running"),
        (("started", "crashed", "start_failed", "start_failed"), "restarting"),
        (("started", "crashed", "start_failed", "give_up"), "failed"),
        (("started", "crashed", "stopped"), "stopped"),
        (("started", "crashed", "stop", "stopped"), "stopped"),
        (("started", "interrupted", "started"), "running"),
        (("started", "restart", "started"), "running"),
        (("started", "crashed", "restart", "started"), "running"),
        (("started", "crashed", "give_up", "revive", "started"), "running"),
        (("started", "crashed", "give_up", "revive", "start_failed", "give_up"), "failed"),
        (("started", "crashed", "give_up", "stop", "stopped"), "stopped"),
        (("started", "stop", "stopped"), "stopped"),
        (("stop", "start_failed", "stopped"), "stopped"),
        (("stop", "started", "stopped"), "stopped"),
        (("started", "stop", "crashed", "interrupted", "stop"), "stopping"),
    ],
)
def test_a_life_runs_along_the_table(events: tuple[str, ...], state: str) -> None:
    """The stories that a supervisor tells of one component."""
    assert state == _after(*events)


@pytest.mark.parametrize("state", ActorState)
@pytest.mark.parametrize("event", LifecycleEvent)
def test_what_is_not_in_the_table_is_forbidden(state: ActorState, event: LifecycleEvent) -> None:
    """The error says which event came in which state."""
    if event in TRANSITIONS[state]:
        assert TRANSITIONS[state][event] == advance(state, event)
        return
    with pytest.raises(LifecycleViolation, match=f"^{event} is not allowed while {state}$") as caught:
        advance(state, event)
    assert (state, event) == (caught.value.state, caught.value.event)


def test_every_state_and_event_has_its_place() -> None:
    """Nothing is forgotten, and nothing is there that cannot happen."""
    assert set(ActorState) == set(TRANSITIONS)
    assert set(LifecycleEvent) == {event for row in TRANSITIONS.values() for event in row}


def test_every_life_can_end_and_only_once() -> None:
    """From each state `stop` and `stopped` lead to the end, and nothing leads out of it."""
    for state in set(ActorState) - {ActorState.STOPPED}:
        assert "stopped" == _after("stop", "stopped", state=state)
    assert {} == TRANSITIONS[ActorState.STOPPED]


def test_only_a_revival_or_a_stop_leads_out_of_failed() -> None:
    """The law's fourth sentence."""
    assert {LifecycleEvent.REVIVE, LifecycleEvent.STOP} == set(TRANSITIONS[ActorState.FAILED])


def test_stopping_has_one_way_out() -> None:
    """The law's third sentence."""
    leaving = {event for event, state in TRANSITIONS[ActorState.STOPPING].items() if state != ActorState.STOPPING}
    assert {LifecycleEvent.STOPPED} == leaving


@given(st.lists(st.sampled_from(LifecycleEvent), max_size=40))
def test_whoever_runs_has_started_since_it_last_ended(events: list[LifecycleEvent]) -> None:
    """Whatever is reported, forbidden events refused: RUNNING is entered by `started` alone."""
    state, last = ActorState.STARTING, None
    for event in events:
        if event in TRANSITIONS[state]:
            state, last = advance(state, event), event
        assert (state is ActorState.RUNNING) <= (last is LifecycleEvent.STARTED)


def test_the_docstring_lists_each_event() -> None:
    """A reader of the table of events sees all of them."""
    listed = re.findall(r"^ *\| (\w+) \|", LifecycleEvent.__doc__ or "", re.MULTILINE)
    assert ["event", *(event.value for event in LifecycleEvent)] == listed
    assert all(state.name in (lifecycle.__doc__ or "") for state in ActorState)
