"""Pending requests: each ends exactly once, whatever comes in whatever order."""

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from airssys_wasm import ComponentId, HostState
from airssys_wasm.messaging.correlation import Pending, PendingRequests

REQUESTERS = [ComponentId("t", "a", "0"), ComponentId("t", "b", "0")]
TARGET = ComponentId("t", "target", "0")


class Requests(RuleBasedStateMachine):
    """The table beside a plain dict, with a clock that only moves on."""

    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.table = PendingRequests()
        self.model: dict[str, Pending] = {}
        self.instances = [HostState(REQUESTERS[0]), HostState(REQUESTERS[1])]
        self.now = 0.0
        self.made = 0

    @rule(target=ids, who=st.integers(0, 1), wait=st.integers(0, 5))
    def open(self, who: int, wait: int) -> str:
        """A new request."""
        self.made += 1
        pending = Pending(f"c{self.made}", self.instances[who], TARGET, self.now + wait)
        self.table.open(pending)
        self.model[pending.correlation_id] = pending
        return pending.correlation_id

    @rule(correlation_id=ids)
    def answer(self, correlation_id: str) -> None:
        """An answer, also a second or a late one."""
        assert self.model.pop(correlation_id, None) == self.table.resolve(correlation_id)

    @rule(correlation_id=consumes(ids), who=st.integers(0, 1))
    def cancel(self, correlation_id: str, who: int) -> None:
        """A cancel, also somebody else's."""
        pending = self.model.get(correlation_id)
        mine = pending if pending is not None and pending.requester is self.instances[who] else None
        assert mine == self.table.cancel(correlation_id, self.instances[who])
        if mine is not None:
            del self.model[correlation_id]

    @rule(step=st.integers(0, 3))
    def expire(self, step: int) -> None:
        """Time goes on."""
        self.now += step
        due = [pending for pending in self.model.values() if pending.expires_at <= self.now]
        due.sort(key=lambda pending: (pending.expires_at, pending.correlation_id))
        assert due == self.table.expire(self.now)
        for pending in due:
            del self.model[pending.correlation_id]

    @rule(who=st.integers(0, 1))
    def crash(self, who: int) -> None:
        """An instance ends; the next one has none of its requests."""
        instance = self.instances[who]
        gone = {key for key, pending in self.model.items() if pending.requester is instance}
        assert gone == {pending.correlation_id for pending in self.table.forget(instance)}
        for key in gone:
            del self.model[key]
        self.instances[who] = HostState(REQUESTERS[who])

    @invariant()
    def agree(self) -> None:
        """The table has what the model has, and nothing else."""
        assert len(self.model) == len(self.table)
        for instance in self.instances:
            count = sum(pending.requester is instance for pending in self.model.values())
            assert count == self.table.count(instance)
        due = min((pending.expires_at for pending in self.model.values()), default=None)
        assert due == self.table.next_due()


TestRequests = Requests.TestCase


def test_requests_that_end_early_leave_nothing_in_the_table() -> None:
    """The list of due times does not grow with requests that were answered long ago."""
    table, instance = PendingRequests(), HostState(REQUESTERS[0])
    for number in range(10_000):
        table.open(Pending(str(number), instance, TARGET, 1e9))
        table.resolve(str(number))
    assert (0, None) == (len(table), table.next_due())
    assert len(table._due) < 100
