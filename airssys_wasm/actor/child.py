"""What a supervisor keeps of one component, from its load until it is gone: it outlives every instance."""

import math
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Literal, final

import attrs

from airssys_wasm.actor.clearing import Clearing
from airssys_wasm.actor.envelope import Envelope
from airssys_wasm.actor.health import HealthRecord
from airssys_wasm.actor.lifecycle import LifecycleEvent, advance
from airssys_wasm.actor.mailbox import Mailbox
from airssys_wasm.actor.orders import Order
from airssys_wasm.actor.restarts import RestartPolicy, RestartWindow
from airssys_wasm.actor.turnstile import Turnstile
from airssys_wasm.actor.waiters import Waiters
from airssys_wasm.core.calls import Given
from airssys_wasm.core.config import ComponentConfig, Execution
from airssys_wasm.core.errors import ActorStopped, AirssysError, ConfigError, MailboxFull
from airssys_wasm.core.exits import ExitReason
from airssys_wasm.core.health import HealthCheck, check_health, check_passivate_after
from airssys_wasm.core.ids import ComponentHandle, ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.mailboxes import MailboxPolicy
from airssys_wasm.core.observations import (
    ActorState,
    ActorStatistics,
    DeadLetter,
    DeadLetterReason,
    Event,
    EventKind,
    Observer,
)
from airssys_wasm.core.ports import Clock, ComponentMetadata, HostState, Outbox, Room, Timer
from airssys_wasm.core.storage import AuthoriseStorage, Storage

if TYPE_CHECKING:
    from airssys_wasm.actor.actor import ComponentActor
    from airssys_wasm.actor.passivation import AsleepMailbox
    from airssys_wasm.actor.tree_leaf import Leaf
    from airssys_wasm.actor.upgrade import OnProbation, Upgrade

Shutdown = Literal["brutal", "infinite"] | float
"""How long a component may take to stop: not at all, as long as it likes, or that many seconds (as in OTP)."""

DEFAULT_SHUTDOWN: Final = 5.0
"""Seconds for the message in progress and the guest's `shutdown` together; OTP's default for a worker."""


def check_shutdown(_instance: object, _attribute: object, value: Shutdown) -> None:
    """Validate an attribute; raises ConfigError."""
    if isinstance(value, str) and value in {"brutal", "infinite"}:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ConfigError("shutdown", value, 'is none of "brutal", "infinite" and a positive number of seconds')


def _check_limits(_instance: "ChildSpec", _attribute: "attrs.Attribute[Limits]", value: object) -> None:
    if not isinstance(value, Limits):
        raise ConfigError("limits", value, "is not Limits(...)")


@final
@attrs.frozen(kw_only=True)
class ChildSpec:
    """How a component is to be run; `compiled` is what its `GuestHost` made of the binary.

    Raises:
        ConfigError: `limits` is something else, `shutdown` is none of its words and no positive number.
    """

    id: ComponentId
    compiled: Any = attrs.field(repr=False)
    given: Given = attrs.field(default=Given(), repr=False)
    """What host code gives it: for its imports, and for those of what it is upgraded to."""
    limits: Limits = attrs.field(default=Limits(), validator=_check_limits)
    config: ComponentConfig = attrs.field(default=ComponentConfig())
    policy: RestartPolicy = attrs.field(default=RestartPolicy())
    execution: Execution = Execution.AUTO
    shutdown: Shutdown = attrs.field(default=DEFAULT_SHUTDOWN, validator=check_shutdown)
    health: HealthCheck | None = attrs.field(default=None, validator=check_health)
    """None: it is never asked."""
    passivate_after: float | None = attrs.field(default=None, validator=check_passivate_after)
    """Seconds without a message after which it gives up its instance until there is one; None: never."""
    room: Room | None = attrs.field(default=None, repr=False)
    """Where it gives its memory back while it sleeps, and asks for it again; None: there is always room."""
    mailbox: MailboxPolicy = attrs.field(default=MailboxPolicy())
    outbox: Outbox | None = attrs.field(default=None, repr=False)
    storage: Storage | None = attrs.field(default=None, repr=False)
    authorise_storage: AuthoriseStorage | None = attrs.field(default=None, repr=False)

    def host_state(self) -> HostState:
        """What belongs to one instance."""
        return HostState(
            self.id,
            self.limits,
            self.outbox,
            self.execution,
            storage=self.storage,
            authorise_storage=self.authorise_storage,
        )


@final
@attrs.define(eq=False)
class Child:
    """One component under a supervisor: its address, its mailbox and counters, and its present actor if it has one."""

    spec: ChildSpec
    handle: ComponentHandle
    observer: Observer = attrs.field(repr=False)
    turnstile: Turnstile = attrs.field(repr=False)
    """For what all children of its supervisor do by the clock."""
    mailbox: "Mailbox[Order] | AsleepMailbox" = attrs.field(init=False, repr=False)
    state: ActorState = attrs.field(default=ActorState.STARTING, init=False)
    metadata: ComponentMetadata = attrs.field(default=ComponentMetadata(), init=False, repr=False)
    actor: "ComponentActor | None" = attrs.field(default=None, init=False, repr=False)
    window: RestartWindow = attrs.field(default=RestartWindow(), init=False, repr=False)
    timer: Timer | None = attrs.field(default=None, init=False, repr=False)
    leaf: "Leaf | None" = attrs.field(default=None, init=False, repr=False)
    """Its place in a tree, whose supervisor decides what follows from its ends; None: it stands alone."""
    held: ExitReason | None = attrs.field(default=None, init=False, repr=False)
    """Why its supervisor has it end, to start it again later; None while it has no part in such a thing."""
    ran: bool = attrs.field(default=False, init=False, repr=False)
    """Whether the instance that ended last had initialized."""
    unrevived: bool = attrs.field(default=False, init=False, repr=False)
    """Whether it has had no instance that initialized since it last fell asleep."""
    health: HealthRecord = attrs.field(default=HealthRecord(), init=False, repr=False)
    beside: "dict[ComponentActor, None]" = attrs.field(factory=dict, init=False, repr=False)
    """Actors of an upgrade that live and are not `actor`, in order: the next one, the last one, one that retires."""
    upgrade: "Upgrade | None" = attrs.field(default=None, init=False, repr=False)
    probation: "OnProbation | None" = attrs.field(default=None, init=False, repr=False)
    reason: ExitReason | None = attrs.field(default=None, init=False)
    drain: bool = attrs.field(default=False, init=False, repr=False)
    """Whether what waits in the mailbox is handled before it is stopped for good."""
    stop_due: float = attrs.field(default=math.inf, init=False, repr=False)
    """When the grace period of its stop is over, also where a second instance drains what the first one left."""
    backlog: list[Envelope] = attrs.field(factory=list, init=False, repr=False)
    """What is left to be handled before the stop, the last first."""
    handled: int = attrs.field(default=0, init=False, repr=False)
    dropped: int = attrs.field(default=0, init=False, repr=False)
    guest_errors: int = attrs.field(default=0, init=False, repr=False)
    crashes: int = attrs.field(default=0, init=False, repr=False)
    restarts: int = attrs.field(default=0, init=False, repr=False)
    passivations: int = attrs.field(default=0, init=False, repr=False)
    revivals: int = attrs.field(default=0, init=False, repr=False)
    upgrades: int = attrs.field(default=0, init=False, repr=False)
    rollbacks: int = attrs.field(default=0, init=False, repr=False)
    guest_time: float = attrs.field(default=0.0, init=False, repr=False)
    fuel: int = attrs.field(default=0, init=False, repr=False)
    starting: Waiters = attrs.field(factory=Waiters, init=False, repr=False)
    ending: Waiters = attrs.field(factory=Waiters, init=False, repr=False)
    clearing: Clearing = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.clearing = Clearing(self)
        self.open_mailbox()

    @property
    def id(self) -> ComponentId:
        """The component's address."""
        return self.spec.id

    @property
    def gone(self) -> bool:
        """Whether nothing of it is left."""
        return self.state is ActorState.STOPPED

    @property
    def instances_beside(self) -> int:
        """How many an upgrade has or may have at this moment besides the one that serves, or would."""
        to_come = self.upgrade is not None and self.upgrade.successor is None
        return len(self.beside) + to_come

    @property
    def digest(self) -> str:
        """Of the binary that the next start uses; empty for what has none."""
        return getattr(self.spec.compiled, "digest", "")

    @property
    def living(self) -> "list[ComponentActor]":
        """All its actors."""
        return [*self.beside] if self.actor is None else [self.actor, *self.beside]

    def open_mailbox(self) -> "Mailbox[Order]":
        """Accept messages, for the first time or again."""
        spec, limits = self.spec, self.spec.limits
        bounds = limits.mailbox_capacity, limits.mailbox_bytes
        mailbox: Mailbox[Order] = Mailbox(self.id, *bounds, spec.mailbox, self._dropped)
        self.mailbox = mailbox
        return mailbox

    def close_mailbox(self, reason: ExitReason) -> None:
        """Accept no more; each message that waits ends as `ActorStopped`, those of a long queue in later turns."""
        self.reason = reason
        self.clearing.add(chain(self.backlog[::-1], self.mailbox.close(reason)), reason)
        self.backlog.clear()

    def lose(self, envelope: Envelope, reason: DeadLetterReason, error: AirssysError | None = None) -> None:
        """Report a message that is not going to be handled, once; it is never started from then on."""
        if not envelope.lost:
            envelope.lost = True
            self.observer.dead_letter(DeadLetter(self.id, envelope.message, reason, error))

    def withdraw(self, envelope: Envelope, reason: DeadLetterReason) -> None:
        """Nobody waits for a message any more, or its time is over: unless it has started, or stays, it never will."""
        if envelope.started or (envelope.stays and (envelope.inside or self.mailbox.put_callback(envelope))):
            return
        self.mailbox.discard(envelope)
        self.lose(envelope, reason)

    def _dropped(self, envelope: Envelope, reason: DeadLetterReason) -> None:
        """The mailbox's policy has dropped a message."""
        self.dropped += 1
        error = MailboxFull(self.id, envelope.message, rule=self.spec.mailbox.rule)
        envelope.fail(error)
        self.lose(envelope, reason, error)

    def move(self, event: LifecycleEvent) -> None:
        """Take a step of the lifecycle table."""
        self.state = advance(self.state, event)
        self.has_changed()

    def has_changed(self) -> None:
        """Have an upgrade that waits for it look again."""
        if self.upgrade is not None:
            self.upgrade.changed.set()

    def tell(self, kind: EventKind, reason: ExitReason | None = None, attempt: int = 0, delay: float = 0.0) -> None:
        """Tell observers."""
        self.observer.event(Event(kind, self.id, reason, attempt, delay))

    def kill_after_grace(self, clock: Clock) -> None:
        """Bound the message in progress and `shutdown` together."""
        actor, grace = self.actor, self.spec.shutdown
        if actor is None or grace == "infinite":
            return
        if grace == "brutal":
            actor.kill()
        else:
            self.cancel_timer()
            due = clock.time() + float(grace)
            if self.state is ActorState.STOPPING:
                due = self.stop_due = min(due, self.stop_due)
            self.timer = clock.call_at(due, actor.kill)

    def abandon(self, reason: ExitReason) -> None:
        """Nobody looks after it any more: let nobody wait for what will not come."""
        self.cancel_timer()
        self.state = ActorState.STOPPED
        self.close_mailbox(reason)
        self.clearing.finish()
        self.starting.settle(ActorStopped(self.id, reason))
        self.ending.settle()

    def lose_actor(self, actor: "ComponentActor") -> None:
        """Its actor has ended; keep what that has spent."""
        self.cancel_timer()
        self.actor, self.ran = None, actor.ready
        self.keep_spent(actor)

    def keep_spent(self, actor: "ComponentActor") -> None:
        """Add what an instance that has ended has used."""
        self.guest_time += actor.guest_time
        self.fuel += actor.fuel

    def cancel_timer(self) -> None:
        """Forget the back-off or the grace period that is running."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def statistics(self) -> ActorStatistics:
        """The component at this moment."""
        return ActorStatistics(
            id=self.id,
            state=self.state,
            mailbox=self.mailbox.statistics(),
            handled=self.handled,
            guest_errors=self.guest_errors,
            crashes=self.crashes,
            restarts=self.restarts,
            guest_time=self.guest_time + sum(actor.guest_time for actor in self.living),
            metadata=self.metadata,
            fuel=self.fuel + sum(actor.fuel for actor in self.living),
            digest=self.digest,
            upgrades=self.upgrades,
            rollbacks=self.rollbacks,
            ready=self.actor is not None and self.actor.ready,
            health=self.health.status,
            bad_answers=self.health.bad,
            passivations=self.passivations,
            revivals=self.revivals,
            dropped=self.dropped,
        )
