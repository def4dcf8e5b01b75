"""Whether one more component may be loaded, or revived: its id is free, and the system has room for it."""

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
    """Bytes by id, of all components and of the loads under way; 0 for one that sleeps."""
    _total: int = attrs.field(default=0, init=False)
    _upgraded: dict[Child, None] = attrs.field(factory=dict, init=False)
    """Those that an upgrade may have given further instances."""

    @contextlib.contextmanager
    def load_under_way(self, id: ComponentId, limits: Limits) -> Iterator[None]:  # noqa: A002 - the stable name
        """Keep the id and the memory for one load, and the memory for its component until `forget`.

        Raises:
            InvalidId: The namespace is the host's.
            AlreadyLoaded: The id is taken, also by a load under way.
            InstantiationFailed: The system is full.
        """
        if id.namespace == HOST_NAMESPACE:
            raise InvalidId("namespace", id.namespace, "is reserved for host code")
        if self.max_components is not None and len(self._promised) >= self.max_components:
            raise InstantiationFailed(f"{self.max_components} components are loaded, which is max_components", id)
        self.registry.reserve(id)
        try:
            self.take(id, limits)
            yield
        finally:
            self.registry.release(id)
            if self.registry.get(id) is None:
                self.forget(id)

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
            self._upgraded[child] = None
            yield

    def take(self, id: ComponentId, limits: Limits) -> None:  # noqa: A002 - the stable name
        """Promise a component its memory; nothing when it has it. Raises InstantiationFailed when others have it."""
        if not self._promised.get(id):
            self._check_memory(id, limits, self._memory_left())
            self._promised[id] = limits.max_memory_bytes
            self._total += limits.max_memory_bytes

    def give_back(self, id: ComponentId) -> None:  # noqa: A002 - the stable name
        """A component has no memory for now."""
        if id in self._promised:
            self._total -= self._promised[id]
            self._promised[id] = 0

    def forget(self, id: ComponentId) -> None:  # noqa: A002 - the stable name
        """A component is gone, or its load has failed; nothing for host code, which is not counted."""
        self._total -= self._promised.pop(id, 0)

    def _check_memory(self, id: ComponentId, limits: Limits, left: int | None) -> None:  # noqa: A002 - the stable name
        if left is not None and limits.max_memory_bytes > left:
            problem = f"max_memory_bytes of {limits.max_memory_bytes} is over the {left} that are left"
            raise InstantiationFailed(f"{problem} of max_total_memory_bytes ({self.max_total_memory_bytes})", id)

    def _memory_left(self) -> int | None:
        if self.max_total_memory_bytes is None:
            return None
        self._upgraded = {child: None for child in self._upgraded if child.instances_beside}
        beside = sum(child.spec.limits.max_memory_bytes * child.instances_beside for child in self._upgraded)
        return self.max_total_memory_bytes - self._total - beside
