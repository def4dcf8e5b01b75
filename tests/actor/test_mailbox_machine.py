"""The mailbox under each policy against a naive one: two lists, searched anew after each step."""

import asyncio
from typing import Final

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from airssys_wasm.actor import mailbox
from airssys_wasm.actor.envelope import Envelope
from airssys_wasm.actor.mailbox import Mailbox
from airssys_wasm.core.errors import ActorStopped, MailboxFull
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.mailboxes import MailboxPolicy, MailboxRule
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.observations import DeadLetterReason, MailboxStatistics
from tests.actor.manual_loop import ManualLoop

OWNER: Final = ComponentId("demo", "owner", "0")
CAPACITY: Final = 3
MAX_BYTES: Final = 10
PAYLOADS: Final = st.builds(
    lambda key, size: key * size, st.sampled_from([b"x", b"y", b"z"]), st.sampled_from([0, 1, 2, 4, 9, 10, 11])
)
POLICIES: Final = [MailboxPolicy(rule, "bytes:0:1" if rule == "latest-by-key" else None) for rule in MailboxRule]


@attrs.define(eq=False)
class Sender:
    """One call of `offer` that waits outside."""

    envelope: Envelope
    task: "asyncio.Task[None]"
    deadline: float | None


class MailboxMachine(RuleBasedStateMachine):
    """Offers, cancellations, timeouts, signals, takes and an end, in any order; each step runs until all is quiet."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = ManualLoop()
        self.mailbox = Mailbox[int](OWNER, CAPACITY, MAX_BYTES)
        self.rule = MailboxRule.WAIT
        self.dropped: list[tuple[Envelope, DeadLetterReason]] = []
        self.expected_drops: list[tuple[Envelope, DeadLetterReason]] = []
        self.signals: list[int] = []
        self.inside: list[Envelope] = []
        self.outside: list[Sender] = []
        self.sleeper: asyncio.Task[None] | None = None
        self.closed = False

    def settle(self) -> None:
        """Let everything run that can run without time passing."""

        async def turns() -> None:
            for _ in range(6):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())

    @initialize(policy=st.sampled_from(POLICIES))
    def begin(self, policy: MailboxPolicy) -> None:
        """Every run is under one policy."""
        list(self.mailbox.close())
        self.rule = policy.rule
        self.mailbox = Mailbox(OWNER, CAPACITY, MAX_BYTES, policy, lambda *what: self.dropped.append(what))

    def counted(self) -> list[Envelope]:
        """What takes room."""
        return [envelope for envelope in self.inside if not envelope.callback]

    def same_key(self, envelope: Envelope) -> Envelope | None:
        """The message inside that this one replaces."""
        key = envelope.message.payload.data[:1]
        if self.rule is not MailboxRule.LATEST_BY_KEY or not key:
            return None
        return next((other for other in self.counted() if other.message.payload.data[:1] == key), None)

    def has_room(self, envelope: Envelope) -> bool:
        """By the list of what is inside."""
        others = [other for other in self.counted() if other is not self.same_key(envelope)]
        used = sum(other.size for other in others)
        return not others or (len(others) < CAPACITY and used + envelope.size <= MAX_BYTES)

    def put(self, envelope: Envelope) -> None:
        """It goes in: to the end, or in the place of another."""
        older = self.same_key(envelope)
        if older is None:
            self.inside.append(envelope)
        else:
            self.inside[self.inside.index(older)] = envelope
            self.expected_drops.append((older, DeadLetterReason.SUPERSEDED))

    def overflow(self, envelope: Envelope) -> bool:
        """Do what the policy says; False when it refuses."""
        if self.rule is MailboxRule.DROP_NEWEST:
            self.expected_drops.append((envelope, DeadLetterReason.DROPPED_NEWEST))
        elif self.rule is MailboxRule.DROP_OLDEST:
            while not self.has_room(envelope):
                self.inside.remove(oldest := self.counted()[0])
                self.expected_drops.append((oldest, DeadLetterReason.DROPPED_OLDEST))
            self.put(envelope)
        return self.rule in {MailboxRule.DROP_NEWEST, MailboxRule.DROP_OLDEST}

    def admit(self) -> list[Sender]:
        """Move in who fits, in order; returns whose offers are accepted by it."""
        admitted = []
        while self.outside and self.has_room(self.outside[0].envelope):
            admitted.append(self.outside.pop(0))
            self.put(admitted[-1].envelope)
        return admitted

    def accepted(self, senders: list[Sender]) -> None:
        """Their offers have returned."""
        self.settle()
        assert [None] * len(senders) == [sender.task.result() for sender in senders]

    @rule(payload=PAYLOADS)
    def offer_nowait(self, payload: bytes) -> None:
        """Accepted, refused or dropped for the reason that the model knows."""
        envelope = Envelope(ComponentMessage(OWNER, payload))
        if not self.closed and not self.outside and self.has_room(envelope):
            self.mailbox.offer_nowait(envelope)
            self.put(envelope)
        elif not self.closed and self.overflow(envelope):
            self.mailbox.offer_nowait(envelope)
        else:
            with pytest.raises(ActorStopped if self.closed else MailboxFull) as caught:
                self.mailbox.offer_nowait(envelope)
            assert caught.value.message is envelope.message
        self.settle()

    @rule(payload=PAYLOADS, wait=st.sampled_from([None, 0, 1, 5]))
    @precondition(lambda self: not self.closed)
    def offer(self, payload: bytes, wait: int | None) -> None:
        """Accepted, refused or dropped at once, or one more waits outside."""
        envelope = Envelope(ComponentMessage(OWNER, payload))
        task = self.loop.create_task(self.mailbox.offer(envelope, wait))
        self.settle()
        if not self.outside and self.has_room(envelope):
            assert None is task.result()
            self.put(envelope)
        elif self.overflow(envelope):
            assert None is task.result()
        elif wait == 0 or self.rule is MailboxRule.REJECT:
            assert isinstance(task.exception(), MailboxFull)
        else:
            assert not task.done()
            self.outside.append(Sender(envelope, task, None if wait is None else self.loop.now + wait))

    @rule(data=st.data(), take_first=st.booleans())
    @precondition(lambda self: self.outside)
    def cancel_a_sender(self, data: st.DataObject, *, take_first: bool) -> None:
        """Its message never runs, and its room goes on; in one turn with a take, too."""
        sender = data.draw(st.sampled_from(self.outside))
        admitted = self.take() if take_first else []
        sender.task.cancel()
        if sender in self.outside:
            self.outside.remove(sender)
        elif sender.envelope in self.inside:  # let in, and out again
            self.inside.remove(sender.envelope)
        admitted += self.admit()
        self.settle()
        assert sender.task.cancelled()
        self.accepted([other for other in admitted if other is not sender])

    @rule(data=st.data())
    @precondition(lambda self: self.inside)
    def discard(self, data: st.DataObject) -> None:
        """A message is taken out before its turn; its room goes on."""
        envelope = data.draw(st.sampled_from(self.inside))
        assert self.mailbox.discard(envelope)
        assert not self.mailbox.discard(envelope)
        self.inside.remove(envelope)
        self.accepted(self.admit())

    @rule()
    @precondition(lambda self: not self.closed)
    def put_callback(self) -> None:
        """It has room always and keeps its place; no policy drops it."""
        envelope = Envelope(ComponentMessage(OWNER, b"x"), callback=True)
        assert self.mailbox.put_callback(envelope)
        self.inside.append(envelope)

    @rule(seconds=st.sampled_from([0.5, 1, 4]))
    def let_time_pass(self, seconds: float) -> None:
        """Who has waited long enough is told that it was in vain."""
        self.loop.now += seconds
        late = [sender for sender in self.outside if sender.deadline is not None and sender.deadline <= self.loop.now]
        self.outside = [sender for sender in self.outside if sender not in late]
        admitted = self.admit()
        self.accepted(admitted)
        assert all(isinstance(sender.task.exception(), MailboxFull) for sender in late)

    @rule(signal=st.integers())
    def put_signal(self, signal: int) -> None:
        """It has room always, until the end."""
        self.mailbox.put_signal(signal)
        if not self.closed:
            self.signals.append(signal)

    def take(self) -> list[Sender]:
        """Take one thing; returns whose offers are accepted by it."""
        taken = self.mailbox.take_nowait()
        if self.signals:
            assert self.signals.pop(0) == taken
        elif self.inside:
            assert self.inside.pop(0) is taken
        else:
            assert taken is None
        return self.admit()

    @rule(times=st.integers(1, 4))
    def take_some(self, times: int) -> None:
        """Signals first, then messages in order, then nothing."""
        admitted = [sender for _ in range(times) for sender in self.take()]
        self.accepted(admitted)

    @rule()
    @precondition(lambda self: self.sleeper is None)
    def wait(self) -> None:
        """The actor has nothing to do."""
        self.sleeper = self.loop.create_task(self.sleep())

    async def sleep(self) -> None:
        """As an actor does, which comes back when there is nothing to take."""
        await self.mailbox.wait()
        await self.mailbox.wait()

    @rule()
    @precondition(lambda self: self.sleeper is not None)
    def wake_the_sleeper(self) -> None:
        """The actor is cancelled while it waits; nothing is lost by it."""
        assert self.sleeper is not None
        self.sleeper.cancel()
        self.settle()
        assert self.sleeper.cancelled()
        self.sleeper = None

    @rule()
    @precondition(lambda self: len(self.inside) + len(self.outside) > 3)
    def close(self) -> None:
        """What is inside comes back, who waits outside is told."""
        assert self.inside == list(self.mailbox.close())
        self.settle()
        assert all(isinstance(sender.task.exception(), ActorStopped) for sender in self.outside)
        self.inside, self.outside, self.closed = [], [], True

    @invariant()
    def the_statistics_are_those_of_the_model(self) -> None:
        """Nothing is lost, counted twice or left waiting without need."""
        counted = self.counted()
        used = sum(envelope.size for envelope in counted)
        expected = MailboxStatistics(len(counted), used, CAPACITY, MAX_BYTES, len(self.outside))
        assert expected == self.mailbox.statistics()
        assert len(self.inside) - len(counted) == self.mailbox.callbacks_waiting

    @invariant()
    def what_was_dropped_is_what_the_model_dropped(self) -> None:
        """Each once, in this order, with its reason."""
        assert self.expected_drops == self.dropped

    @invariant()
    def the_sleeper_sleeps_exactly_while_there_is_nothing(self) -> None:
        """A wake-up is never lost."""
        self.settle()
        has_something = bool(self.signals or self.inside or self.closed)
        assert self.sleeper is None or has_something == self.sleeper.done()
        if self.sleeper is not None and self.sleeper.done():
            error = self.sleeper.exception()
            assert isinstance(error, ActorStopped) if not self.signals and self.closed else error is None
            self.sleeper = None

    def teardown(self) -> None:
        """Leave nothing behind."""
        if self.sleeper is not None:
            self.sleeper.cancel()
        list(self.mailbox.close())
        self.settle()
        for sender in self.outside:
            assert isinstance(sender.task.exception(), ActorStopped)
        self.loop.close()


@pytest.mark.parametrize("empty_places", [1, 64])
def test_the_mailbox_behaves_like_the_naive_one(empty_places: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is done to it, in whatever order, whether empty places are cleared away soon or late."""
    monkeypatch.setattr(mailbox, "MOST_EMPTY_PLACES", empty_places)
    run_state_machine_as_test(MailboxMachine, settings=settings(stateful_step_count=40))
