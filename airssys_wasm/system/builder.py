"""Where a system's objects are made and connected."""

from typing import final

import attrs
from anyio.abc import TaskGroup

from airssys_wasm.actor.registry import Registry
from airssys_wasm.actor.supervisor import Supervisor
from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.ids import HOST_NAMESPACE, ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.ports import Clock, GuestHost
from airssys_wasm.messaging.requests import Requests
from airssys_wasm.messaging.router import Router
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.security.guard import Guard
from airssys_wasm.system.events import Observatory

__all__ = ["Parts", "Settings", "WasmtimeEngine", "build"]


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
    limits: Limits = attrs.field(factory=Limits, validator=_check_limits)
    max_components: int | None = attrs.field(default=None, validator=_check_count)
    stop_timeout: float = attrs.field(validator=_check_seconds)


@final
@attrs.frozen
class Parts:
    """The objects of a running system."""

    host: GuestHost
    guard: Guard
    registry: Registry
    supervisor: Supervisor
    router: Router


def build(
    settings: Settings, host: GuestHost, observatory: Observatory, group: TaskGroup, clock: Clock | None = None
) -> Parts:
    """Make a system's objects, on its loop; the supervisor runs in the group."""
    guard = Guard()
    registry = Registry(guard.forget)
    supervisor = Supervisor(
        host, observer=observatory, clock=clock, stop_timeout=settings.stop_timeout, registry=registry
    )
    supervisor.attach(group)
    requests = Requests(registry, supervisor.delivery)
    router = Router(settings.host_id, guard, registry, supervisor.delivery, requests, observatory)
    return Parts(host, guard, registry, supervisor, router)
