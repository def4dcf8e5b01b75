"""Who waits for whom, and whether that can ever end.

| who waits | for | until |
|---|---|---|
| a guest in `send`, `request`, `broadcast` | room in a mailbox | `Limits.send_wait` |
| a served handler in `ask` | an answer | its timeout; None: for ever |
| a served handler in `tell`, `send`, `publish` | room in a mailbox | its timeout; None: for ever |
| other host code | room in a mailbox | its timeout; None: for ever |

The first three are actors: as long as they wait they take no message, so whoever waits for them waits for what they
wait for. A wait that would close such a ring never ends by itself. It is refused at once and told: in the log, as an
event `deadlock`, in the statistics. A guest gets queue-full, a handler `AskDeadlock` or `RoomDeadlock`.

What a handler waits for in a task that it has started (`gather`, a task group, `asyncio.wait_for` before Python 3.12)
it may or may not be waiting for itself: a ring with such a wait is told, not refused. What cannot be seen: waits
through a lock, a queue, a thread or another system, and host functions that a component imports.
"""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final, final

import attrs

from airssys_wasm.actor.child import Child
from airssys_wasm.actor.envelope import Envelope
from airssys_wasm.actor.rings import ring_of
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.observations import Event, EventKind, Observer, Wait
from airssys_wasm.core.ports import Clock

TOLD_AGAIN_SECONDS: Final = 60.0
"""How long a ring that forms again and again is only counted."""

MOST_RINGS_REMEMBERED: Final = 256

_log: Final = logging.getLogger(__name__)


@final
@attrs.define(eq=False)
class AtWork:
    """An actor in the middle of a message; `task` is the one that has to go on for it to take the next, None: any."""

    component: ComponentId
    task: "asyncio.Task[object] | None" = None
    over: bool = False

    @property
    def is_sure(self) -> bool:
        """Whether the task that is running now is what the actor waits for."""
        return self.task is None or asyncio.current_task() is self.task


AT_WORK: Final[ContextVar[AtWork | None]] = ContextVar("airssys_wasm_at_work", default=None)
"""The served handler that this code runs in, or was started by; None for other code."""


def at_work() -> AtWork | None:
    """The same, unless it has ended and this is a task that it has left behind."""
    found = AT_WORK.get()
    return None if found is None or found.over else found


@contextlib.contextmanager
def working(component: ComponentId) -> Iterator[None]:
    """The block is the handling of a message by host code."""
    work = AtWork(component, asyncio.current_task())
    token = AT_WORK.set(work)
    try:
        yield
    finally:
        work.over = True
        AT_WORK.reset(token)


@attrs.frozen(eq=False)
class _Open:
    """One wait; `who` is None for host code that is no actor."""

    who: AtWork | None
    is_sure: bool
    child: Child
    envelope: Envelope
    answer: bool
    since: float

    @property
    def for_room(self) -> bool:
        """Whether its message is still outside."""
        return self.child.mailbox.keeps_out(self.envelope)

    @property
    def is_over(self) -> bool:
        """Whether what it waits for has come, and its task has only not gone on yet."""
        reply = self.envelope.reply if self.answer else None
        return self.envelope.lost or (not self.for_room if reply is None else reply.done())


@final
@attrs.define(eq=False, repr=False)
class Waits:
    """Every wait in one system that may last."""

    clock: Clock
    observer: Observer
    rings: int = attrs.field(default=0, init=False)
    """Waits that closed a ring."""
    _open: dict[Envelope, _Open] = attrs.field(factory=dict, init=False)
    _of_actor: dict[ComponentId, dict[Envelope, _Open]] = attrs.field(factory=dict, init=False)
    _told: "OrderedDict[frozenset[ComponentId], float]" = attrs.field(factory=OrderedDict, init=False)

    def begin(
        self, child: Child, envelope: Envelope, who: AtWork | None, *, answer: bool = False
    ) -> tuple[ComponentId, ...]:
        """Somebody is about to wait for room, or, if need be after that, for an answer.

        Returns:
            The ring that it would close for good, and then it is not to wait; otherwise empty.
        """
        sure = who is not None and who.is_sure
        if who is not None:
            if sure and (ring := ring_of(who.component, child.id, self._surely_waits_for)):
                self._tell(ring, "wait for each other; the last one is refused")
                return ring
            if ring := ring_of(who.component, child.id, self._waits_for):
                self._tell(ring, "perhaps wait for each other")
        wait = self._open[envelope] = _Open(who, sure, child, envelope, answer, self.clock.time())
        if who is not None:
            self._of_actor.setdefault(who.component, {})[envelope] = wait
        return ()

    def end(self, envelope: Envelope) -> None:
        """The wait is over; nothing when there was none."""
        wait = self._open.pop(envelope, None)
        if wait is None or wait.who is None:
            return
        others = self._of_actor[wait.who.component]
        del others[envelope]
        if not others:
            del self._of_actor[wait.who.component]

    def now(self) -> tuple[Wait, ...]:
        """What goes on at this moment, the longest first."""
        time = self.clock.time()
        return tuple(
            Wait(
                waiter=wait.envelope.message.sender if wait.who is None else wait.who.component,
                target=wait.child.id,
                what="room" if wait.for_room else "answer",
                seconds=time - wait.since,
            )
            for wait in self._open.values()
            if not wait.is_over
        )

    def _waits_for(self, component: ComponentId) -> Iterator[ComponentId]:
        return (wait.child.id for wait in self._of_actor.get(component, {}).values() if not wait.is_over)

    def _surely_waits_for(self, component: ComponentId) -> Iterator[ComponentId]:
        waits = self._of_actor.get(component, {}).values()
        return (wait.child.id for wait in waits if wait.is_sure and not wait.is_over)

    def _tell(self, ring: tuple[ComponentId, ...], what: str) -> None:
        self.rings += 1
        now, members = self.clock.time(), frozenset(ring)
        if now - self._told.get(members, -TOLD_AGAIN_SECONDS) < TOLD_AGAIN_SECONDS:
            return
        self._told[members] = now
        self._told.move_to_end(members)
        if len(self._told) > MOST_RINGS_REMEMBERED:
            self._told.popitem(last=False)
        _log.warning("%s %s", " -> ".join(map(str, ring)), what)
        self.observer.event(Event(EventKind.DEADLOCK, ring[0], ring=ring))
