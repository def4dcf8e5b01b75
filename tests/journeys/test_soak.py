"""A short chaos soak: storms of messages and faults, and nothing is lost in silence."""

from itertools import islice

import pytest

from benchmarks.soak import run
from benchmarks.soak_ledger import HANDLED
from benchmarks.soak_plan import Plan


@pytest.mark.slow
@pytest.mark.timeout(240)  # a few seconds on a machine of one's own
@pytest.mark.parametrize("seed", [1, 2])
def test_everything_sent_is_handled_or_a_dead_letter(seed: int) -> None:
    """Every ask ended once, every sender's order was kept, the system's counters agree, and nothing is left."""
    report = run(Plan(seed, messages=2000, actors=40, workers=4), timeout=120)
    assert [] == report.violations
    assert report.sent >= 2000
    assert report.sent == sum(report.ends.values())
    assert sum(report.outcomes.values()) > 500
    assert {*HANDLED, "crashed", "withdrawn", "mailbox-full", "actor-stopped", "target-not-found"} <= report.ends.keys()
    assert {"answer", "guest-error", "withdrawn"} <= report.outcomes.keys()
    assert report.callbacks["delivered"] > 0
    assert report.restarts > 0


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
