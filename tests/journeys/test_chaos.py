"""Chaos on scripted guests and a manual clock: everything ends, nothing is lost in silence, and a seed tells it again.

`CHAOS_SEEDS=0:5000` runs those instead of the few of every day; `python -m tests.journeys.chaos_run` shrinks failures.
"""

import os
from collections import Counter

import pytest

from airssys_wasm import DeadLetterReason, EventKind
from tests.journeys.chaos_run import run

FIRST, _, LAST = os.environ.get("CHAOS_SEEDS", "0:40").partition(":")
SEEDS = range(int(FIRST), int(LAST or FIRST) + (not LAST))
AT_ONCE = 10


@pytest.mark.parametrize("first", SEEDS[::AT_ONCE])
def test_everything_ends_and_is_accounted_for(first: int) -> None:
    """Whatever meets whatever; each operation of host code is also cancelled now and then."""
    found = {seed: run(seed)[1].violations for seed in SEEDS if first <= seed < first + AT_ONCE}
    assert {} == {seed: violations for seed, violations in found.items() if violations}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_seed_does_the_same_in_the_same_order(seed: int) -> None:
    """What was done, what became of it, every delivery, event and dead letter; another seed does something else."""
    (_, first), (_, again), (_, other) = run(seed), run(seed), run(seed + 100)
    assert first.trace == again.trace
    assert first.digest == again.digest != other.digest
    assert len(first.trace) > 200


def test_it_is_a_chaos() -> None:
    """Nothing that may happen is missing for long."""
    runs = [run(seed)[1] for seed in range(100, 130)]
    kinds = {event.kind for one in runs for event in one.events}
    reasons = {letter.reason for one in runs for letters in one.account.died.values() for letter in letters}
    reasons = reasons.union(*(one.account.others for one in runs))
    ends = Counter(line.partition(" ")[2] for one in runs for line in one.trace if line[0].isdigit())
    upgrades = {end.rpartition(" ")[2] for end in ends if end.startswith("upgrade")}
    assert set() == set(EventKind) - kinds
    assert {DeadLetterReason.GUEST_ERROR, DeadLetterReason.BAD_VALUE} == {*DeadLetterReason} - reasons
    assert {"ok", "cancelled", "ActorStopped", "InstantiationFailed", "UpgradeFailed", "UpgradeUnderWay"} <= upgrades
    assert {"linked: LinkBroken", "linked: cancelled", "wait: ok"} <= ends.keys()
