"""What a system tells its observers: events, dead letters, statistics (pure)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Protocol

import attrs

from airssys_wasm.core.errors import AirssysError, Trap
from airssys_wasm.core.exits import ExitReason
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.messages import ComponentMessage

if TYPE_CHECKING:
    from airssys_wasm.core.ports import ComponentMetadata, HealthStatus


class ActorState(StrEnum):
    """Where an actor is in its life; `actor/lifecycle.py` has the table of transitions."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    ASLEEP = "asleep"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class EventKind(StrEnum):
    """What happened to a component.

    `started`, and after `passivated` `revived`: it has initialized and is ready for messages. `health`: its answer is
    another one than before. `linked`: it was ended together with another one. `gave-up`: its end was one too many for a
    supervisor, which ends its children. `upgraded`: another binary serves from now on; `rolled-back`: the one before
    serves again.
    """

    STARTED = "started"
    CRASHED = "crashed"
    LINKED = "linked"
    INTERRUPTED = "interrupted"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPED = "stopped"
    GAVE_UP = "gave-up"
    PASSIVATED = "passivated"
    REVIVED = "revived"
    HEALTH = "health"
    UPGRADED = "upgraded"
    ROLLED_BACK = "rolled-back"
    DEADLOCK = "deadlock"


@attrs.frozen
class Event:
    """One thing that happened to one component.

    `attempt` counts the restarts inside the window, `delay` is the back-off in seconds; both 0 unless restarting.
    `reason` is None for started, revived and upgraded. `supervisor` is the one that gave up, with those above it as in
    `app/workers`; `digest` is that of the binary that serves after an upgrade or a rollback, `version` what it says of
    itself; empty for the other kinds. `health` is the new answer; None for the other kinds. `ring` is,
    of a deadlock, who waits for whom, from the component round to itself.
    """

    kind: EventKind
    component: ComponentId
    reason: ExitReason | None = None
    attempt: int = 0
    delay: float = 0.0
    supervisor: str = ""
    health: "HealthStatus | None" = None
    digest: str = ""
    version: str = ""
    ring: tuple[ComponentId, ...] = ()

    @property
    def backtrace(self) -> str | None:
        """The guest's frames at the trap behind this event, where there are any."""
        cause = None if self.reason is None else self.reason.cause
        return cause.backtrace if isinstance(cause, Trap) else None


class DeadLetterReason(StrEnum):
    """Why a message that was accepted, or offered, was not handled.

    | reason | what happened |
    |---|---|
    | mailbox-full | it was refused: no room in time, or none at all under `reject` and from `*_nowait` |
    | dropped-oldest, dropped-newest, superseded | it was dropped by the mailbox's policy |
    | deadlock | it was refused: its sender would have waited for itself |
    | too-many-requests | it was refused: its sender has `max_pending_requests` under way |
    | expired | its time was over before it began |
    | withdrawn | whoever sent it had gone before it began: cancelled, or the instance that asked had ended |
    | requester-gone | the instance that asked is not there: it is its answer, or the request made in its name |
    | target-not-found, denied, payload-too-large | it was refused on its way |
    | actor-stopped | it was refused by, or waited in, the mailbox of a component that ended |
    | not-exported, bad-value | its target has no function for it, or an argument does not fit: the guest never ran |
    | crashed, interrupted | it was with the guest when that ended |
    | guest-error | a pipeline's component answered err |
    """

    ACTOR_STOPPED = "actor-stopped"
    CRASHED = "crashed"
    INTERRUPTED = "interrupted"
    GUEST_ERROR = "guest-error"
    MAILBOX_FULL = "mailbox-full"
    DROPPED_OLDEST = "dropped-oldest"
    DROPPED_NEWEST = "dropped-newest"
    SUPERSEDED = "superseded"
    DEADLOCK = "deadlock"
    TOO_MANY_REQUESTS = "too-many-requests"
    TARGET_NOT_FOUND = "target-not-found"
    PAYLOAD_TOO_LARGE = "payload-too-large"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    REQUESTER_GONE = "requester-gone"
    NOT_EXPORTED = "not-exported"
    BAD_VALUE = "bad-value"


@attrs.frozen
class DeadLetter:
    """A message nobody handled: to whom it went, why it did not arrive, and the error behind that, if any."""

    target: ComponentId
    message: ComponentMessage
    reason: DeadLetterReason
    error: AirssysError | None = attrs.field(default=None, eq=False)


@attrs.frozen
class MailboxStatistics:
    """A mailbox at one moment: messages and bytes waiting, and their bounds."""

    waiting: int
    waiting_bytes: int
    capacity: int
    capacity_bytes: int
    senders_waiting: int


@attrs.frozen
class ActorStatistics:
    """One component at one moment; counters since `load`, times in seconds.

    `handled` counts messages answered with ok, `guest_errors` those answered with err, `crashes` those that ended the
    instance. `guest_time` is time inside guest code, host waits excluded; `fuel` is what calls that have
    ended took of wasmtime's fuel, 0 without `Limits.max_fuel`. `ready` says whether it has an instance that has
    initialized; one that sleeps has none. `dropped` counts messages that its mailbox's policy dropped.
    """

    id: ComponentId
    state: ActorState
    mailbox: MailboxStatistics
    handled: int
    guest_errors: int
    crashes: int
    restarts: int
    guest_time: float
    metadata: "ComponentMetadata | None" = None
    """What the component said of itself when it last started; None before it has."""
    fuel: int = 0
    ready: bool = False
    health: "HealthStatus | None" = None
    """Its last answer to `health`, unhealthy for one that came too late; None when it was not asked yet."""
    bad_answers: int = 0
    """Bad answers to `health` in a row."""
    passivations: int = 0
    """How often it was put to sleep."""
    revivals: int = 0
    """How often a message, or a restart on request, began to revive it."""
    digest: str = ""
    """SHA-256 of the binary that the next start uses, in hexadecimal; empty for host code."""
    upgrades: int = 0
    rollbacks: int = 0
    dropped: int = 0


@attrs.frozen
class SystemStatistics:
    """A whole system at one moment; `dead_letters` counts by reason, `dropped_*` what observers were too slow for."""

    components: Mapping[ComponentId, ActorStatistics]
    dead_letters: Mapping[DeadLetterReason, int]
    dropped_events: int
    dropped_dead_letters: int
    pending_requests: int
    late_answers: int
    """Answers that came after their request had ended."""
    dropped_requests: int
    """Requests whose requester had ended; answers that come later are late."""
    abandoned_threads: int
    deadlocks: int = 0
    """Waits that would have closed a ring of components that wait for each other."""


@attrs.frozen
class Wait:
    """Somebody who waits for room in a mailbox, or a served handler that waits for an answer; `seconds` so far."""

    waiter: ComponentId
    target: ComponentId
    what: Literal["room", "answer"]
    seconds: float


@attrs.frozen
class Compilation:
    """A component that is being compiled: its file, or "component bytes", its size in bytes, and `seconds` so far."""

    source: str
    size: int
    seconds: float


@attrs.frozen
class ComponentReport:
    """What `inspect` finds in a binary.

    `fits` says whether it can be loaded as a component of the contract; `problems` why not. `wasi` says whether it
    imports WASI. `metadata` is what the component says of itself, None when it does not fit or does not say.
    `payload_path` says how payloads reach it: "bytes", as one block, or "values", byte by byte, which is slow and ends
    at 2 MiB; None when it does not fit.
    """

    size_bytes: int
    imports: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()
    fits: bool = False
    problems: tuple[str, ...] = ()
    wasi: bool = False
    metadata: "ComponentMetadata | None" = None
    payload_path: Literal["bytes", "values"] | None = None
    callable: bool = False
    """Whether it has functions of its own to be called, and nothing to do with the contract."""
    wit: str = attrs.field(default="", repr=False)
    """Its world as WIT."""
    python: str = attrs.field(default="", repr=False)
    """A Python module with its types."""


class Observer(Protocol):
    """The way up for what happens: called on the loop, must return at once and not raise."""

    def event(self, event: Event) -> None:
        """Something happened to a component."""
        ...

    def dead_letter(self, letter: DeadLetter) -> None:
        """A message was not handled."""
        ...


class Unobserved:
    """An observer of a supervisor that nobody watches."""

    def event(self, event: Event) -> None:
        """Nobody is told."""

    def dead_letter(self, letter: DeadLetter) -> None:
        """Nobody is told."""
