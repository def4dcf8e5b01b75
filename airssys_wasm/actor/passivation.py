"""How a component falls asleep and is woken: without an instance, a task and a mailbox, but with its address.

    RUNNING, nobody needs it ─► its actor ends as passivated ─► lay_down ─► ASLEEP, AsleepMailbox
       ▲                                                                       │ a message, a restart on request
       └── initialized: REVIVED ◄── RESTARTING ◄── revive, a step of the supervisor ◄── wake

| while it | a message | unload, system exit |
|---|---|---|
| is about to fall asleep | comes first: it stays awake | comes first: it stops |
| is in `shutdown` | waits, and revives it at once afterwards | waits for that `shutdown`, within the grace period |
| sleeps | opens a mailbox and revives it | it is gone at once |
| is being revived | waits behind the one that woke it | ends the start; what waits ends as `ActorStopped` |

An unload that drains lets what waits be handled first: by the instance that is being revived, or, after `shutdown`, by
another one. A revival that fails is a restart that fails: the mailbox is kept, the plan decides. What it must not lose
across a sleep is in storage. A member of a group sleeps through the restart of its siblings: it has nothing to be
stopped, and its next instance will be as new as theirs. A message that comes meanwhile revives it in its turn.
"""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final, final

import attrs

from airssys_wasm.actor.envelope import Envelope
from airssys_wasm.actor.lifecycle import LifecycleEvent
from airssys_wasm.actor.mailbox import Mailbox
from airssys_wasm.core.errors import AirssysError
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.observations import ActorState, MailboxStatistics

if TYPE_CHECKING:
    from airssys_wasm.actor.child import Child
    from airssys_wasm.actor.children import Children
    from airssys_wasm.actor.orders import Order

WANTED: Final = ExitReason(ExitKind.INTERRUPTED, "wanted while it fell asleep")


@final
@attrs.define(eq=False, repr=False)
class AsleepMailbox:
    """The mailbox of a component that sleeps, for those who put something in: empty, and the first message wakes it.

    It has what they use of `Mailbox`; an actor takes from that.
    """

    child: "Child"
    children: "Children"
    is_waited_at = False
    """As of a mailbox whose actor does something else."""

    async def offer(self, envelope: Envelope, wait: float | None) -> None:
        """As of the mailbox that it opens, which has room for it."""
        await self._wake().offer(envelope, wait)

    def offer_nowait(self, envelope: Envelope) -> None:
        """As of the mailbox that it opens, which has room for it."""
        self._wake().offer_nowait(envelope)

    def put_callback(self, envelope: Envelope) -> bool:
        """As of the mailbox that it opens."""
        return self._wake().put_callback(envelope)

    def accepts(self, envelope: Envelope) -> bool:
        """As of the mailbox that it opens, which has room for it."""
        return self._wake().accepts(envelope)

    def keeps_out(self, _envelope: Envelope) -> bool:
        """Nobody."""
        return False

    def discard(self, _envelope: Envelope) -> bool:
        """Nothing is in."""
        return False

    @property
    def callbacks_waiting(self) -> int:
        """None: a component with requests under way does not fall asleep."""
        return 0

    def close(self, reason: ExitReason | None = None) -> Iterator[Envelope]:
        """Refuse everything from now on, as a closed mailbox."""
        return self.child.open_mailbox().close(reason)

    def statistics(self) -> MailboxStatistics:
        """Nothing waits."""
        limits = self.child.spec.limits
        return MailboxStatistics(0, 0, limits.mailbox_capacity, limits.mailbox_bytes, 0)

    def _wake(self) -> "Mailbox[Order]":
        children = self.children
        children.post(partial(wake, children, self.child))
        return self.child.open_mailbox()


def has_mail(child: "Child") -> bool:
    """Whether a message or a callback waits."""
    mailbox = child.mailbox
    return bool(mailbox.statistics().waiting or mailbox.callbacks_waiting)


def is_wanted(child: "Child") -> bool:
    """Whether one that sleeps is to be revived: a message waits, or somebody waits for its start."""
    return has_mail(child) or bool(len(child.starting))


def reason_of(child: "Child", reason: ExitReason) -> ExitReason:
    """How it ended; one that was told to restart while it fell asleep has ended for that."""
    is_sleep = reason.kind is ExitKind.PASSIVATED
    return WANTED if is_sleep and (child.held is not None or len(child.starting)) else reason


def lay_down(children: "Children", child: "Child") -> None:
    """It is asleep now; what came while it fell asleep wakes it again."""
    child.passivations += 1
    child.unrevived = True
    if child.spec.room is not None:
        child.spec.room.give_back(child.id)
    if has_mail(child):
        wake(children, child)
    else:
        sleep_on(children, child)


def sleep_on(children: "Children", child: "Child") -> None:
    """Have the next message wake it, also where the last one has been given up before it could."""
    if isinstance(child.mailbox, Mailbox):
        child.mailbox.close()
        child.mailbox = AsleepMailbox(child, children)


def wake(children: "Children", child: "Child") -> None:
    """Revive it, if it still sleeps and is not to wait for its turn in a group."""
    if child.state is ActorState.ASLEEP and (child.leaf is None or child.leaf.may_wake()):
        revive(children, child)


def revive(children: "Children", child: "Child") -> None:
    """Start an actor for it, whatever its group is doing."""
    if isinstance(child.mailbox, AsleepMailbox):
        child.open_mailbox()
    child.revivals += 1
    child.move(LifecycleEvent.REVIVE)
    children.launch(child)


def refusal(child: "Child") -> ExitReason | None:
    """Why it may not have an instance now; None when it may."""
    if not child.unrevived or child.spec.room is None:
        return None
    try:
        child.spec.room.take(child.id, child.spec.limits)
    except AirssysError as exc:
        return ExitReason(ExitKind.CRASHED, str(exc), exc)
    return None
