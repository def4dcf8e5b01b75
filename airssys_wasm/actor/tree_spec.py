"""How a tree of supervisors is to be run, as data (pure)."""

from collections.abc import Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar, final

import attrs

from airssys_wasm.actor.child import Shutdown, check_shutdown
from airssys_wasm.actor.restarts import RestartPolicy
from airssys_wasm.actor.strategies import Strategy
from airssys_wasm.core.config import Restart, one_of
from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.ids import ComponentId


class HasId(Protocol):
    """What a component of a tree is described by."""

    @property
    def id(self) -> ComponentId:
        """Its address."""
        ...


Component = TypeVar("Component", bound=HasId)


def _strategy(value: Strategy | str) -> Strategy:
    return one_of(Strategy, "strategy", value)


def _restart(value: Restart | str) -> Restart:
    return one_of(Restart, "restart", value)


def _check_name(_instance: Any, attribute: "attrs.Attribute[str]", value: object) -> None:
    if not isinstance(value, str):
        raise ConfigError(attribute.name, value, "is not a str")
    if not value or "/" in value or not value.isprintable():
        raise ConfigError(attribute.name, value, "is empty, or has a character that no name may have")


def _policy(spec: "SupervisorSpec[Any]") -> RestartPolicy:
    return RestartPolicy(
        restart=spec.restart,
        intensity=spec.intensity,
        window=spec.window,
        backoff_initial=spec.backoff_initial,
        backoff_factor=spec.backoff_factor,
        backoff_max=spec.backoff_max,
        jitter=spec.jitter,
    )


@final
@attrs.frozen(kw_only=True)
class SupervisorSpec(Generic[Component]):
    """A supervisor with its children, components and other supervisors, in start order; times in seconds.

    Args:
        name: what events call it; those of the supervisors above stand before it, as in `app/workers`.
        strategy: whom the restart of one child concerns, "one_for_one", "one_for_all" or "rest_for_one".
        children: started in this order, one after the other, and stopped in the reverse order.
        restart: what the supervisor above does when this one gives up; "permanent" as in OTP. "transient" and
            "temporary": nothing, its components stay failed or are gone.
        intensity: how many restarts of its children there may be in `window`; one more and it gives up.
        window: how long a restart counts.
        backoff_initial: before the first restart of the window; see `RestartPolicy` for these four.
        backoff_factor: by which each further restart waits longer.
        backoff_max: the longest wait.
        jitter: the share by which a wait is shortened at random.
        shutdown: bounds the stop of all its children together; "infinite" as in OTP: each child has its own bound.

    Raises:
        ConfigError: A value is wrong, an id or the name of a supervisor is there twice.
    """

    name: str = attrs.field(validator=_check_name)
    strategy: Strategy = attrs.field(default=Strategy.ONE_FOR_ONE, converter=_strategy)
    children: "Sequence[Component | SupervisorSpec[Component]]" = attrs.field(default=(), converter=tuple)
    restart: Restart = attrs.field(default=Restart.PERMANENT, converter=_restart)
    intensity: int = 3
    window: float = 60.0
    backoff_initial: float = 0.1
    backoff_factor: float = 2.0
    backoff_max: float = 30.0
    jitter: float = 0.0
    shutdown: Shutdown = attrs.field(default="infinite", validator=check_shutdown)
    policy: RestartPolicy = attrs.field(init=False, repr=False, default=attrs.Factory(_policy, takes_self=True))

    def __attrs_post_init__(self) -> None:
        if not self.children:
            raise ConfigError("children", self.children, f"of {self.name!r} are none")
        names = [child.name for child in self.children if isinstance(child, SupervisorSpec)]
        _check_unique("name", names)
        _check_unique("id", [component.id for component in self.components()])

    def components(self) -> Iterator[Component]:
        """All components of the tree, in start order."""
        for child in self.children:
            if isinstance(child, SupervisorSpec):
                yield from child.components()
            else:
                yield child


def _check_unique(field: str, values: Sequence[object]) -> None:
    seen = set[object]()
    for value in values:
        if value in seen:
            raise ConfigError(field, value, "is there twice")
        seen.add(value)
