"""Whether one more component may be loaded: its id is free, and the system has room for it."""

import contextlib
from collections.abc import Iterator
from typing import final

import attrs

from airssys_wasm.actor.child import Child
from airssys_wasm.actor.registry import Registry
from airssys_wasm.actor.upgrade import Upgrade
from airssys_wasm.actor.upgrades import under_way
from airssys_wasm.core.errors import InstantiationFailed, InvalidId
from airssys_wasm.core.ids import HOST_NAMESPACE, ComponentId
from airssys_wasm.core.limits import Limits


@final
@attrs.define(eq=False)
class Admission:
    """Keeps the bounds of a whole system, loads under way included; None means no bound.

    Memory is counted by what components may use, their `Limits.max_memory_bytes`, not by what they do use: so a
    component that was admitted always gets what it was promised. One that sleeps has given its memory back, and may be
    refused it when it is revived; it still counts as a component. During an upgrade there are two instances of one.
    """

    registry: Registry
    max_components: int | None
    max_total_memory_bytes: int | None
    _promised: dict[ComponentId, int] = attrs.field(factory=dict, init=False)
    """Bytes by id, of the loads under way; until its end a load may have a child already."""

    @contextlib.contextmanager
    def load_under_way(self, id: ComponentId, limits: Limits) -> Iterator[None]:  # noqa: A002 - the stable name
        """Keep the id and the memory for one load.

        Raises:
            InvalidId: The namespace is the host's.
            AlreadyLoaded: The id is taken, also by a load under way.
            InstantiationFailed: The system is full.
        """
        if id.namespace == HOST_NAMESPACE:
            raise InvalidId("namespace", id.namespace, "is reserved for host code")
        self._check_count(id)
        self._check_memory(id, limits, self._memory_left())
        self.registry.reserve(id)
        self._promised[id] = limits.max_memory_bytes
        try:
            yield
        finally:
            del self._promised[id]
            self.registry.release(id)

    @contextlib.contextmanager
    def upgrade_under_way(self, child: Child, upgrade: Upgrade) -> Iterator[None]:
        """Keep a component, and the memory for one more instance of it, for one upgrade.

        Raises:
            UpgradeUnderWay: There is one already.
            ActorStopped: The component is gone, or on its way.
            InstantiationFailed: There is no memory for both instances.
        """
        left = self._memory_left()
        with under_way(child, upgrade):
            self._check_memory(child.id, child.spec.limits, left)
            yield

    def check_revival(self, id: ComponentId, limits: Limits) -> None:  # noqa: A002 - the stable name
        """Refuse a component that has slept its memory while others have it; raises InstantiationFailed."""
        self._check_memory(id, limits, self._memory_left())

    def _check_count(self, id: ComponentId) -> None:  # noqa: A002 - the stable name
        if self.max_components is not None:
            taken = self._promised.keys() | {child.id for child in self.registry if _is_guest(child)}
            if len(taken) >= self.max_components:
                raise InstantiationFailed(f"{self.max_components} components are loaded, which is max_components", id)

    def _check_memory(self, id: ComponentId, limits: Limits, left: int | None) -> None:  # noqa: A002 - the stable name
        if left is not None and limits.max_memory_bytes > left:
            problem = f"max_memory_bytes of {limits.max_memory_bytes} is over the {left} that are left"
            raise InstantiationFailed(f"{problem} of max_total_memory_bytes ({self.max_total_memory_bytes})", id)

    def _memory_left(self) -> int | None:
        if self.max_total_memory_bytes is None:
            return None
        guests = (child for child in self.registry if _is_guest(child))
        taken = {child.id: child.spec.limits.max_memory_bytes * child.instances for child in guests}
        return self.max_total_memory_bytes - sum((self._promised | taken).values())


def _is_guest(child: Child) -> bool:
    return child.id.namespace != HOST_NAMESPACE
