"""Where a layer is called from below, or has two real implementations: the protocols (pure)."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from enum import StrEnum
from typing import Any, Protocol, final

import attrs

from airssys_wasm.core.calls import Given, Invocation
from airssys_wasm.core.config import ComponentConfig, Execution
from airssys_wasm.core.ids import ComponentHandle, ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.messages import ComponentMessage, MessagePayload
from airssys_wasm.core.observations import Compilation, ComponentReport
from airssys_wasm.core.storage import AuthoriseStorage, Storage


class HealthStatus(StrEnum):
    """What a guest says of itself."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


@attrs.frozen
class ComponentMetadata:
    """What a component says it is, read once after `initialize`."""

    name: str = ""
    version: str = ""
    description: str = ""
    author: str = ""
    license: str = ""
    supported_operations: tuple[str, ...] = ()
    stateful: bool = False


class Timer(Protocol):
    """A callback that waits for its time."""

    def cancel(self) -> None:
        """Forget the callback; nothing when it has run."""
        ...


class Clock(Protocol):
    """What time it is, and what happens later: the running event loop, or a clock that tests move by hand."""

    def time(self) -> float:
        """Seconds since some moment; never goes back."""
        ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer:
        """Call back on the loop when that moment has come, at once when it has passed."""
        ...


class RuntimeEngine(Protocol):
    """Load components and call them: the bare `WasmtimeEngine`, or a `Supervisor` with an actor in front of each."""

    async def load_component(self, id: ComponentId, data: bytes) -> ComponentHandle:  # noqa: A002 - the stable name
        """Compile, start and initialize a component; handle ids count from 1 and are never used again."""
        ...

    async def unload_component(self, handle: ComponentHandle) -> None:
        """Stop a component; silent when the handle is unknown or already unloaded."""
        ...

    async def call_handle_message(self, handle: ComponentHandle, message: ComponentMessage) -> MessagePayload | None:
        """Have the component handle a message; None is the guest's `none`."""
        ...

    async def call_handle_callback(self, handle: ComponentHandle, message: ComponentMessage) -> None:
        """Have the component take the answer to one of its requests."""
        ...


class Room(Protocol):
    """The way up for those who need memory again: who keeps the bounds of the system."""

    def take(self, id: ComponentId, limits: Limits) -> None:  # noqa: A002 - the stable name
        """Promise a component its memory, unless it has it; raises InstantiationFailed when others have it."""
        ...

    def give_back(self, id: ComponentId) -> None:  # noqa: A002 - the stable name
        """A component has no memory for now."""
        ...


class Outbox(Protocol):
    """The way up for a guest's messages: what host functions call, the router in a system."""

    async def send(self, sender: ComponentId, target: ComponentId, payload: bytes, *, wait: float) -> None:
        """Authorise, resolve and offer; wait at most that many seconds for room.

        Raises:
            DeliveryError: The message was not accepted; its class says why.
        """
        ...

    async def broadcast(
        self, sender: ComponentId, targets: Sequence[ComponentId], payload: bytes, *, wait: float
    ) -> Sequence[ComponentId]:
        """Send to every target, going on past failures; returns those that failed."""
        ...

    async def request(self, requester: "HostState", target: ComponentId, payload: bytes, *, timeout: float) -> str:
        """Send a message whose answer comes as a callback to this very instance; the correlation id.

        Raises:
            DeliveryError: The message was not accepted; its class says why.
        """
        ...

    def cancel_request(self, requester: "HostState", correlation_id: str) -> None:
        """Forget a request of this instance; silent when there is none."""
        ...

    def has_requests(self, requester: "HostState") -> bool:
        """Whether a request of this instance has not ended."""
        ...

    def forget(self, requester: "HostState") -> None:
        """The instance has ended: forget all its requests."""
        ...

    def describe(self, sender: ComponentId, target: ComponentId) -> "ComponentInfo | None":
        """What the sender may know of a component; None when there is none, or it may not send to it."""
        ...

    async def reachable(self, sender: ComponentId) -> "Sequence[ComponentId]":
        """The components that the sender may send to."""
        ...


@attrs.frozen
class ComponentInfo:
    """What one component is told of another; `health` is healthy, degraded, unhealthy or unknown."""

    id: ComponentId
    name: str
    version: str
    health: str


@attrs.define(eq=False)
class HostState:
    """What belongs to one Store: whose it is, what it may use, where its messages go.

    `outbox` is None for a bare engine; every target is then unknown to the guest.
    """

    component_id: ComponentId
    limits: Limits = attrs.field(factory=Limits)
    outbox: Outbox | None = None
    execution: Execution = Execution.AUTO
    take_callback: Callable[[ComponentMessage], bool] | None = None
    """Puts the answer to a request of this instance into its mailbox; None once the instance has ended."""
    drop_callback: Callable[[str], None] | None = None
    """Takes back an answer that waits in the mailbox, by its correlation id; silent when there is none."""
    log: Callable[[str, str, Iterable[tuple[str, str]]], None] | None = None
    """Where the guest's log lines go: level, message, context. None until the runtime sets it."""
    storage: Storage | None = None
    """Where the guest's keys are kept; None: it is told that there is no storage."""
    authorise_storage: AuthoriseStorage | None = None
    """Asked before each operation; raises CapabilityDenied or PolicyViolation. None: denied."""


@final
@attrs.define
class Answered:
    """What a guest has answered."""

    value: Any


class Guest(Protocol):
    """One live instance, one call at a time. A call that raises an `ExecutionError` has spent the instance.

    Every call ends by itself within `Limits.max_execution_time`, with `DeadlineExceeded` if need be. A cancelled call
    stops the guest and has spent the instance.
    """

    @property
    def guest_time(self) -> float:
        """Seconds inside guest code so far, host waits excluded."""
        ...

    @property
    def fuel(self) -> int:
        """Fuel that calls have taken so far; 0 where it is not metered."""
        ...

    async def initialize(self, config: ComponentConfig) -> ComponentMetadata:
        """Call `initialize`, then `metadata`.

        Raises:
            GuestError: The guest answered err.
            ExecutionError: The call ended without an answer.
        """
        ...

    async def handle_message(self, message: ComponentMessage) -> bytes | None:
        """Call `handle-message`; raises GuestError, ExecutionError or PayloadTooLarge (answer over the limit)."""
        ...

    async def handle_callback(self, message: ComponentMessage) -> None:
        """Call `handle-callback`; raises GuestError or ExecutionError."""
        ...

    async def call(self, invocation: Invocation) -> Any:
        """Call a function of the component's own; `Ok` or `Err` where it answers a result.

        Raises:
            CallRefused: There is no such function, or an argument does not fit; the guest has not run.
            ExecutionError: The call ended without an answer.
            PayloadTooLarge: The answer is over the limit.
        """
        ...

    def attempt(
        self, message: ComponentMessage, invocation: Invocation | None = None
    ) -> "Answered | Callable[[], Awaitable[Any]] | None":
        """Make the first step of `handle_message`, or of `call`, on the spot, unless it is no moment for that.

        Returns:
            The answer, if that was all. What goes on with it, in the task whose guest it is; until then `interrupt`
            and `aclose` work as in the middle of a call. Or None: nothing has happened, it is to be called as usual.

        Raises:
            AirssysError: As those two do; the call is over.
        """
        ...

    async def health(self) -> HealthStatus:
        """Call `health`; raises ExecutionError."""
        ...

    async def shutdown(self) -> None:
        """Call `shutdown`; raises GuestError or ExecutionError."""
        ...

    def interrupt(self) -> None:
        """Stop the call in progress, which then raises `Interrupted`; nothing when there is none."""
        ...

    async def aclose(self) -> None:
        """Give up the instance and all it holds; a call in progress is stopped first. May be called twice."""
        ...


class GuestHost(Protocol):
    """Makes guests: the wasmtime engine, or scripted ones in tests."""

    @property
    def abandoned_threads(self) -> int:
        """Threads that a blocking guest has not given back."""
        ...

    @property
    def compiling(self) -> Sequence[Compilation]:
        """What is being compiled at this moment, the longest first."""
        ...

    async def compile(self, source: Any, limits: Limits, sha256: str | None = None) -> Any:
        """Check and compile; what comes back is what `start` takes. Something compiled earlier comes back as it is."""
        ...

    async def bind(self, compiled: Any, given: Given) -> Any:
        """What was compiled, with what host code gives it; raises ImportsUnfit, ConfigError."""
        ...

    async def inspect(self, source: Any, limits: Limits) -> ComponentReport:
        """Say what a binary imports and exports and whether it fits, without running it."""
        ...

    async def start(self, compiled: Any, state: HostState) -> Guest:
        """Instantiate, without calling `initialize`."""
        ...

    async def aclose(self) -> None:
        """Give up all it holds; its guests are closed already."""
        ...
