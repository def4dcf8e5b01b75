"""Where a system's objects are made and connected."""

import time
from pathlib import Path
from typing import final

import anyio.to_thread
import attrs
from anyio.abc import TaskGroup

from airssys_wasm.actor.registry import Registry
from airssys_wasm.actor.supervisor import Supervisor
from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.ids import HOST_NAMESPACE, ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.ports import Clock, GuestHost
from airssys_wasm.core.storage import Storage
from airssys_wasm.messaging.requests import Requests
from airssys_wasm.messaging.router import Router
from airssys_wasm.messaging.topics import Subscriptions
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.storage import IN_MEMORY, open_storage
from airssys_wasm.runtime.wat import assemble
from airssys_wasm.security.audit import Audit
from airssys_wasm.security.capabilities import StorageAction
from airssys_wasm.security.guard import Guard
from airssys_wasm.security.learn import Learner
from airssys_wasm.security.policy import Policy
from airssys_wasm.security.sinks import Sink
from airssys_wasm.system.admission import Admission
from airssys_wasm.system.events import Observatory
from airssys_wasm.system.serving import ServingHost

__all__ = ["Parts", "Resources", "Settings", "WasmtimeEngine", "assemble", "build", "open_resources"]


def _check_limits(_instance: "Settings", _attribute: "attrs.Attribute[Limits]", value: object) -> None:
    if not isinstance(value, Limits):
        raise ConfigError("limits", value, "is not Limits(...)")


def _check_seconds(_instance: "Settings", attribute: "attrs.Attribute[float]", value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigError(attribute.name, value, "is not a positive, finite number of seconds")


def _check_count(_instance: "Settings", attribute: "attrs.Attribute[int | None]", value: int | None) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ConfigError(attribute.name, value, "is not a positive whole number")


def _host_id(name: str) -> ComponentId:
    return ComponentId(HOST_NAMESPACE, name, "0")


@final
@attrs.frozen(kw_only=True)
class Settings:
    """What holds for a whole system.

    Raises:
        InvalidId: The name cannot be part of an id.
        ConfigError: A number is not one, or out of its range.
    """

    host_id: ComponentId = attrs.field(converter=_host_id)
    storage: Path | str = IN_MEMORY
    limits: Limits = attrs.field(factory=Limits, validator=_check_limits)
    max_components: int | None = attrs.field(default=None, validator=_check_count)
    max_total_memory_bytes: int | None = attrs.field(default=None, validator=_check_count)
    policies: tuple[Policy, ...] = ()
    audit: tuple[Sink, ...] = ()
    learner: Learner | None = None
    stop_timeout: float = attrs.field(validator=_check_seconds)


@final
@attrs.frozen
class Parts:
    """The objects of a running system."""

    host: GuestHost
    storage: Storage
    audit: Audit | None
    guard: Guard
    registry: Registry
    supervisor: Supervisor
    router: Router
    subscriptions: Subscriptions
    admission: Admission

    @staticmethod
    def now() -> float:
        """The clock of grants and audit entries, seconds since 1970."""
        return time.time()

    def authorise_storage(self, component: ComponentId, action: StorageAction) -> None:
        """Ask the guard; raises CapabilityDenied or PolicyViolation."""
        self.guard.authorise_storage(component, action, self.now())


@final
@attrs.frozen
class Resources:
    """What a system opens before anything else, and closes after everything else."""

    host: GuestHost
    storage: Storage
    audit: Audit | None
    host_is_own: bool

    async def aclose(self) -> None:
        """Close all; a host that was given is its giver's."""
        if self.host_is_own:
            await self.host.aclose()
        await self.storage.aclose()
        if self.audit is not None:
            await anyio.to_thread.run_sync(self.audit.close)


async def open_resources(settings: Settings, given: GuestHost | None) -> Resources:
    """Open what a system stands on; raises EngineCreation, StorageUnavailable, and leaves nothing behind then."""
    storage = await open_storage(settings.storage)
    try:
        host = given or WasmtimeEngine()
    except BaseException:
        await storage.aclose()
        raise
    audit = Audit(*settings.audit) if settings.audit else None
    return Resources(host, storage, audit, host_is_own=given is None)


def build(
    settings: Settings,
    resources: Resources,
    observatory: Observatory,
    group: TaskGroup,
    clock: Clock | None = None,
) -> Parts:
    """Make a system's objects, on its loop; the supervisor runs in the group."""
    guard = Guard(settings.policies, resources.audit, settings.learner)
    subscriptions = Subscriptions()

    def gone(component: ComponentId) -> None:
        guard.forget(component)
        subscriptions.forget(component)
        admission.forget(component)

    registry, host = Registry(gone), ServingHost(resources.host)
    admission = Admission(registry, settings.max_components, settings.max_total_memory_bytes)
    supervisor = Supervisor(
        host, observer=observatory, clock=clock, stop_timeout=settings.stop_timeout, registry=registry
    )
    supervisor.attach(group)
    requests = Requests(registry, supervisor.delivery)
    router = Router(settings.host_id, guard, registry, supervisor.delivery, requests, observatory)
    return Parts(
        host, resources.storage, resources.audit, guard, registry, supervisor, router, subscriptions, admission
    )
