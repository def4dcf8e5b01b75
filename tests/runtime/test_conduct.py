"""What is known of a component's code, and where its next call runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.runtime.conduct import LONG_STEP, PROBATION_CALLS, Conduct
from airssys_wasm.runtime.ticker import TICK


def settled() -> Conduct:
    """A component that has behaved."""
    conduct = Conduct()
    for _ in range(PROBATION_CALLS):
        conduct.record(0.0, on_thread=True)
    return conduct


def calls_on_thread(conduct: Conduct) -> int:
    """How many quick calls it takes to be back on the loop."""
    count = 0
    while conduct.needs_thread:
        conduct.record(TICK / 2, on_thread=True)
        count += 1
    return count


def test_a_new_component_proves_itself_on_a_thread() -> None:
    """Its first calls, then the loop."""
    assert PROBATION_CALLS == calls_on_thread(Conduct())


def test_a_long_step_on_a_thread_counts_and_doubles_to_a_bound() -> None:
    """8, 16, 32, … at most 1,024 calls."""
    conduct, sentences = settled(), list[int]()
    for _ in range(10):
        conduct.record(2 * LONG_STEP, on_thread=True)
        sentences.append(calls_on_thread(conduct))
    assert [8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024] == sentences


def test_a_long_step_on_the_loop_is_a_suspicion_only() -> None:
    """The wall clock counts what other processes took: three calls more each time, at most 64."""
    conduct, sentences = settled(), list[int]()
    for _ in range(25):
        conduct.record(2 * LONG_STEP, on_thread=False)
        sentences.append(calls_on_thread(conduct))
    assert [*range(3, 64, 3), 64, 64, 64, 64] == sentences


@pytest.mark.parametrize("on_thread", [True, False])
def test_a_step_of_a_slice_is_no_offence(on_thread: bool) -> None:
    """Slices are the guest's good right."""
    conduct = settled()
    conduct.record(LONG_STEP, on_thread=on_thread)
    assert not conduct.needs_thread


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=50))
def test_every_component_gets_back_to_the_loop(history: list[tuple[float, bool]]) -> None:
    """Whatever it did, 1,024 good calls are enough."""
    conduct = Conduct()
    for longest, on_thread in history:
        conduct.record(longest, on_thread=on_thread)
    assert calls_on_thread(conduct) <= 1024
