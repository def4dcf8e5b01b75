"""What a pipeline file says, as values (pure)."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import attrs

from airssys_wasm.actor.child import DEFAULT_SHUTDOWN, Shutdown
from airssys_wasm.core.config import ComponentConfig, Execution, Restart
from airssys_wasm.core.health import HealthCheck
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.keys import Key
from airssys_wasm.core.limits import KIB, Limits
from airssys_wasm.core.mailboxes import MailboxPolicy
from airssys_wasm.security.capabilities import Capabilities
from airssys_wasm.security.policy import Policy

DEFAULT_BLOCK_BYTES: Final = 64 * KIB
"""A block of a stream when the file does not say: what one read of a full pipe gives."""

TOPIC_PREFIX: Final = "topic:"
"""Begins a route's target that is a topic; no source, component or sink is called so."""

IN_MEMORY: Final = ":memory:"
"""As the storage of an `ActorSystem`: gone when the system is left."""

DEFAULT_STOP_TIMEOUT: Final = 30.0
"""As for an `ActorSystem`."""


class SourceKind(StrEnum):
    """Where messages come from."""

    STDIN = "stdin"
    FILE = "file"
    DIRECTORY = "directory"


class SinkKind(StrEnum):
    """Where answers end."""

    STDOUT = "stdout"
    FILE = "file"


class Framing(StrEnum):
    """How a stream of bytes is cut into messages: at each newline, or into blocks."""

    LINE = "line"
    BLOCK = "block"


class OnError(StrEnum):
    """What an error does to the run: it is counted and the run goes on, or it ends the run."""

    COUNT = "count"
    STOP = "stop"


@attrs.frozen
class SourceSpec:
    """One `[[source]]`; `path` is None for stdin, `block_bytes` None for whole files of a directory."""

    name: str
    kind: SourceKind
    path: Path | None = None
    framing: Framing = Framing.LINE
    block_bytes: int | None = None

    @property
    def table(self) -> str:
        """How the file's reader finds it."""
        return f"[[source]] {self.name}"


@attrs.frozen
class ComponentSpec:
    """One `[[component]]`: `id` has two parts, its instances get the third; `parent` is a supervisor or empty."""

    id: str
    path: Path
    instances: int = 1
    key: Key | None = None
    restart: Restart = Restart.TRANSIENT
    execution: Execution = Execution.AUTO
    limits: Limits = Limits()
    config: ComponentConfig = ComponentConfig()
    capabilities: Capabilities | None = None
    shutdown: Shutdown = DEFAULT_SHUTDOWN
    health: HealthCheck | None = None
    passivate_after: float | None = None
    mailbox: MailboxPolicy = attrs.field(factory=MailboxPolicy)
    parent: str = ""

    @property
    def table(self) -> str:
        """How the file's reader finds it."""
        return f"[[component]] {self.id}"

    @property
    def most_payload_bytes(self) -> int:
        """How large a message may be, in view of its key too."""
        most = self.mailbox.most_payload_bytes(self.limits.max_payload_bytes)
        return most if self.key is None else self.key.most_payload_bytes(most)

    def instance_id(self, number: int) -> ComponentId:
        """The full id of one instance."""
        return ComponentId.parse(f"{self.id}/{number}")


@attrs.frozen
class RouteSpec:
    """One `[[route]]`: what `origin` gives, `target` gets: a component, a sink, or all subscribers of a topic."""

    origin: str
    target: str

    @property
    def topic(self) -> str | None:
        """The topic it leads to; None when it leads to a component or sink."""
        return self.target.removeprefix(TOPIC_PREFIX) if self.target.startswith(TOPIC_PREFIX) else None

    @property
    def table(self) -> str:
        """How the file's reader finds it."""
        return f"[[route]] {self.origin} -> {self.target}"


@attrs.frozen
class SubscribeSpec:
    """One `[[subscribe]]`: `target`, a component or a sink, gets what is routed to topics that `topic` covers."""

    topic: str
    target: str

    @property
    def table(self) -> str:
        """How the file's reader finds it."""
        return f"[[subscribe]] {self.topic} -> {self.target}"


@attrs.frozen
class SupervisorSpec:
    """One `[[supervisor]]`: `children` are ids of components and names of supervisors, `parent` is one or empty.

    `settings` are those of a tree's `SupervisorSpec` that the file gives.
    """

    name: str
    children: tuple[str, ...] = ()
    parent: str = ""
    settings: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def table(self) -> str:
        """How the file's reader finds it."""
        return f"[[supervisor]] {self.name}"


@attrs.frozen
class SinkSpec:
    """One `[[sink]]`; `path` is None for stdout."""

    name: str
    kind: SinkKind
    path: Path | None = None
    framing: Framing = Framing.LINE

    @property
    def table(self) -> str:
        """How the file's reader finds it."""
        return f"[[sink]] {self.name}"


@attrs.frozen
class PipelineSpec:
    """A whole file; `name` is the system's name, `storage` a file or None for memory, `audit` a file or None."""

    file: str
    name: str = "pipeline"
    on_error: OnError = OnError.COUNT
    storage: Path | None = None
    audit: Path | None = None
    stop_timeout: float = DEFAULT_STOP_TIMEOUT
    sources: tuple[SourceSpec, ...] = ()
    components: tuple[ComponentSpec, ...] = ()
    supervisors: tuple[SupervisorSpec, ...] = ()
    routes: tuple[RouteSpec, ...] = ()
    subscriptions: tuple[SubscribeSpec, ...] = ()
    sinks: tuple[SinkSpec, ...] = ()
    policies: tuple[Policy, ...] = ()
