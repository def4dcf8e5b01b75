"""Nothing is lost in silence, whatever the mailboxes' policies."""

from collections import Counter

import pytest

from airssys_wasm import DeadLetterReason
from tests.journeys.conservation import Storm
from tests.journeys.conservation_account import fits


@pytest.mark.parametrize("seed", range(3))
async def test_everything_sent_is_handled_once_or_one_dead_letter(seed: int) -> None:
    """Exactly, for a random mix under every policy; each ask ends once, as its message did; the counters agree."""
    storm = Storm(seed)
    system = await storm.run(steps=200)
    account, statistics = storm.account, system.statistics()
    died = Counter({key: len(letters) for key, letters in account.died.items()})
    assert account.sent == account.handled + died
    assert {1} == set(map(len, account.ends.values()))
    assert [] == [(key, end) for key, [end] in account.ends.items() if not fits(end, account.died.get(key, []))]
    assert died.total() + account.lost_callbacks == sum(statistics.dead_letters.values())
    assert {1} == set(account.callbacks.values())
    loads = [load.statistics() for load in storm.loads]
    handled = sum(load.handled + load.guest_errors for load in loads)
    assert account.handled.total() + account.callbacks.total() == handled
    assert 0 == statistics.dropped_dead_letters
    dropped = (DeadLetterReason.DROPPED_OLDEST, DeadLetterReason.DROPPED_NEWEST, DeadLetterReason.SUPERSEDED)
    assert sum(load.dropped for load in loads) == sum(statistics.dead_letters[reason] for reason in dropped) > 0
