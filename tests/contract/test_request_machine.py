"""Requests through the real router and supervisor, beside a naive account of them: each ends exactly once."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from airssys_wasm import ComponentId
from airssys_wasm.testing.guests import ScriptedGuest
from tests.contract.request_bench import LIMITS, REQUESTERS, TARGETS, Bench, Heard

OUTCOMES: Final = {"some": "some", "none": "none", "err": "invalid-component", "trap": "runtime-error"}
T = TypeVar("T")
Which = st.sampled_from([0, 1])


@attrs.define(eq=False)
class Made:
    """A request that has not ended, as the account has it."""

    correlation_id: str
    requester: ScriptedGuest
    target: ComponentId
    due: float


class RequestMachine(RuleBasedStateMachine):
    """Requests, answers, cancels, time, crashes, restarts and stops of either side, in any order.

    The account: `pending` requests, those that were `cancelled`, and for each instance what it has `heard` and what
    still `waits` in its mailbox.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.bench = self.run(_bench())
        self.pending: dict[str, Made] = {}
        self.made: list[tuple[str, int]] = []
        self.cancelled: set[str] = set()
        self.heard: dict[ScriptedGuest, list[Heard]] = {}
        self.waits: dict[ScriptedGuest, list[Heard]] = {}
        self.busy: set[ComponentId] = set()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Do something on the machine's loop."""
        return self.loop.run_until_complete(coroutine)

    def end(self, correlation_id: str, how: str) -> None:
        """The account's end of a request: one callback, heard at once unless the requester is busy."""
        made = self.pending.pop(correlation_id)
        busy = made.requester.state.component_id in self.busy
        (self.waits if busy else self.heard).setdefault(made.requester, []).append((correlation_id, how))

    def drop(self, requester: ScriptedGuest) -> None:
        """The account's end of an instance: its requests and what waits for it are gone."""
        self.waits.pop(requester, None)
        self.busy.discard(requester.state.component_id)
        self.pending = {key: made for key, made in self.pending.items() if made.requester is not requester}

    @rule(
        who=Which, whom=Which, timeouts=st.lists(st.sampled_from([0.0, 1.0, 5.0, 100.0, 100.0]), min_size=1, max_size=3)
    )
    def request(self, who: int, whom: int, timeouts: list[float]) -> None:
        """New requests; refused with too many under way or in the target's mailbox."""
        for timeout in timeouts:
            self.request_one(who, whom, timeout)
            self.callbacks_are_as_accounted()

    def request_one(self, who: int, whom: int, timeout: float) -> None:
        """One of them."""
        guest, child = self.bench.guest(REQUESTERS[who]), self.bench.child(TARGETS[whom])
        under_way = sum(made.requester is guest for made in self.pending.values())
        waiting = self.bench.child(REQUESTERS[who]).mailbox.callbacks_waiting
        room = under_way + waiting < LIMITS.max_pending_requests
        room &= child.mailbox.statistics().waiting < LIMITS.mailbox_capacity
        correlation_id = self.run(self.bench.request(REQUESTERS[who], TARGETS[whom], timeout))
        assert room is (correlation_id is not None)
        if correlation_id is not None:
            due = self.bench.clock.time() + timeout
            self.made.append((correlation_id, who))
            self.pending[correlation_id] = Made(correlation_id, guest, TARGETS[whom], due)

    @precondition(lambda self: self.bench.current.keys() & set(TARGETS))
    @rule(whom=Which, how=st.sampled_from(sorted(OUTCOMES)))
    def answer(self, whom: int, how: str) -> None:
        """A target ends its message, in time or late."""
        target = TARGETS[whom] if TARGETS[whom] in self.bench.current else TARGETS[1 - whom]
        correlation_id = self.bench.current[target]
        if correlation_id in self.pending:
            self.end(correlation_id, OUTCOMES[how])
        self.run(self.bench.end_message(target, how))

    @rule(back=st.integers(1, 4), own=st.sampled_from([True, True, True, False]))
    def cancel(self, back: int, *, own: bool) -> None:
        """Of a request of one's own, of another's, of one that has ended, of a predecessor's."""
        if len(self.made) < back:
            return
        correlation_id, who = self.made[-back]
        guest = self.bench.guest(REQUESTERS[who if own else 1 - who])
        self.bench.router.cancel_request(guest.state, correlation_id)
        made = self.pending.get(correlation_id)
        if made is not None and made.requester is guest:
            del self.pending[correlation_id]
            self.cancelled.add(correlation_id)
        self.waits[guest] = [heard for heard in self.waits.get(guest, []) if heard[0] != correlation_id]

    @precondition(lambda self: any(self.waits.values()))
    @rule()
    def cancel_what_waits(self) -> None:
        """Of an answer that is in the mailbox already."""
        guest = next(guest for guest, waiting in self.waits.items() if waiting)
        correlation_id, _ = self.waits[guest].pop()
        self.bench.router.cancel_request(guest.state, correlation_id)

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 10.0]))
    def pass_time(self, seconds: float) -> None:
        """What is due ends, the first due first."""
        now = self.bench.clock.time() + seconds
        for made in sorted(self.pending.values(), key=lambda made: (made.due, made.correlation_id)):
            if made.due <= now:
                self.end(made.correlation_id, "timeout")
        self.run(self.bench.clock.advance(seconds))

    @rule(who=Which)
    def hold(self, who: int) -> None:
        """The requester is busy: callbacks wait."""
        if REQUESTERS[who] not in self.busy:
            self.busy.add(REQUESTERS[who])
            self.run(self.bench.hold(REQUESTERS[who]))

    @precondition(lambda self: self.busy)
    @rule(how=st.sampled_from(["some", "err", "trap"]))
    def let_go(self, how: str) -> None:
        """It goes on to the callbacks that wait, or crashes and they are lost."""
        requester = min(self.busy)
        guest = self.bench.guest(requester)
        self.busy.discard(requester)
        if how == "trap":
            self.drop(guest)
        self.heard.setdefault(guest, []).extend(self.waits.pop(guest, []))
        self.run(self.bench.end_message(requester, how))

    @rule(who=Which, event=st.sampled_from(["restart", "stop", "restart target", "stop target"]))
    def disturb(self, who: int, event: str) -> None:
        """Something ends that is not a message."""
        match event:
            case "restart" | "stop":
                self.replace_requester(who, stop=event == "stop")
            case "restart target":
                self.restart_target(who)
            case _:
                self.stop_target(who)

    def replace_requester(self, who: int, *, stop: bool) -> None:
        """By a restart, or by a stop and another load."""
        self.drop(self.bench.guest(REQUESTERS[who]))
        self.run((self.bench.stop if stop else self.bench.restart)(REQUESTERS[who]))

    def stop_target(self, whom: int) -> None:
        """Whatever it had not answered ends with it, first what waited, then what it was at."""
        current = self.bench.current.get(TARGETS[whom])
        asked = [key for key, made in self.pending.items() if made.target == TARGETS[whom]]
        for correlation_id in sorted(asked, key=lambda key: key == current):
            self.end(correlation_id, "component-not-found")
        self.run(self.bench.stop(TARGETS[whom]))

    def restart_target(self, whom: int) -> None:
        """What it was at is lost, what waits is handled by the next instance."""
        current = self.bench.current.get(TARGETS[whom])
        if current in self.pending:
            self.end(current, "component-not-found")
        self.run(self.bench.restart(TARGETS[whom]))

    @invariant()
    def callbacks_are_as_accounted(self) -> None:
        """Each instance has heard what it had to, in order, and nothing else; the table holds the rest.

        A target begins with what is pending, or was cancelled, and with nothing that has ended otherwise.
        """
        assert set() == set(self.bench.begun) - set(self.pending) - self.cancelled
        self.bench.begun.clear()
        self.run(self.bench.clock.advance(0.0))
        now = self.bench.clock.time()
        for made in sorted(self.pending.values(), key=lambda made: (made.due, made.correlation_id)):
            if made.due <= now:
                self.end(made.correlation_id, "timeout")
        heard = {guest: told for guest, told in self.heard.items() if told}
        assert heard == self.bench.heard
        assert len(self.pending) == len(self.bench.requests)
        told = [correlation_id for of in self.bench.heard.values() for correlation_id, _ in of]
        assert len(set(told)) == len(told)

    def teardown(self) -> None:
        """In the end every request has; nothing is left in the table, the timer or the mailboxes."""
        self.pass_time(1000.0)
        self.callbacks_are_as_accounted()
        assert {} == self.pending
        self.run(self.bench.close())
        requests = self.bench.requests
        assert (0, {}, None) == (len(requests), requests._under_way, requests._timer)
        assert [] == self.bench.host.live
        self.run(self.loop.shutdown_asyncgens())
        self.loop.close()


async def _bench() -> Bench:
    bench = Bench()
    await bench.open()
    return bench


def test_each_request_ends_exactly_once_whatever_happens_in_whatever_order() -> None:
    """Against the account, step by step."""
    run_state_machine_as_test(RequestMachine, settings=settings(max_examples=100, stateful_step_count=50))
