"""Upgrades of running components."""

import abc
from typing import TYPE_CHECKING, Any

from airssys_wasm.actor.handle import ActorHandle
from airssys_wasm.actor.upgrade import Upgrade
from airssys_wasm.core.errors import ActorStopped
from airssys_wasm.core.ids import HOST_NAMESPACE, ComponentId
from airssys_wasm.core.upgrades import DEFAULT_MAX_CRASHES, DEFAULT_PROBATION, Probation, UpgradeFailed
from airssys_wasm.system.builder import Parts, Settings

if TYPE_CHECKING:
    from airssys_wasm.system.system import Source


class Upgrading(abc.ABC):
    """The part of `ActorSystem` that replaces binaries."""

    _settings: Settings

    @abc.abstractmethod
    def _parts(self) -> Parts:
        """The objects of the running system; raises RuntimeError when it has not been entered."""

    @abc.abstractmethod
    def _handle_of(self, id: ComponentId) -> ActorHandle | None:  # noqa: A002 - the stable name
        """The handle of a loaded component."""

    async def upgrade(
        self,
        handle: ActorHandle,
        source: "Source",
        *,
        probation: float = DEFAULT_PROBATION,
        max_crashes: int = DEFAULT_MAX_CRASHES,
    ) -> None:
        """Replace the binary of a component while it serves; everything else about it stays as it was loaded.

        The new one is compiled, started and initialized beside the old one, which serves meanwhile. Then, between two
        messages, it takes over: the mailbox is kept, no message is lost, repeated or overtaken. If the old one's
        metadata lists `save-state` and the new one's `load-state`, what the first answers to a message of content-type
        `application/x.airssys.save-state` is given to the second as `application/x.airssys.load-state`; `none` is
        nothing to give. What the component keeps in storage stays, and is the new binary's from then on.

        The old one is kept ready, without messages, until the probation is over, and gets its `shutdown` then. When
        the new one crashes too often before that, or so that it would not be started again, the old one serves again
        with the state that it had. Restarts use the new binary, after such a rollback the old one; a restarted
        instance gets no state. Requests, with their answers, belong to the instance that made them: those of the old
        one are kept for it as long as it is.

        A component that waits to be restarted or has failed starts again with the new binary at once. A further
        upgrade during the probation is one of the present binary; when that takes over, the one before the present is
        given up.

        Args:
            handle: which component.
            source: bytes, a path, or what `compile` gave.
            probation: seconds for which the old one is kept; 0: not at all.
            max_crashes: so many crashes and failed starts within the probation are restarts like any others.

        Raises:
            InvalidComponent: The new one is no component that can run here.
            ExportNotFound: It does not fit the contract.
            ImportsUnfit: It imports what the `imports` that were given when it was loaded do not have.
            InstantiationFailed: It could not be started, its `initialize` failed, or there is no memory for both.
            UpgradeFailed: The state could not be handed over; the cause says why. Or this is host code.
            UpgradeUnderWay: Another upgrade of this component has not come to an end.
            ConfigError: A number is wrong.
            ActorStopped: The component is gone, or was stopped meanwhile.

        Whatever is raised, the old one serves on.

        Cancellation: before the new one has taken over, nothing has changed; afterwards it has happened.
        """
        parts, terms = self._parts(), Probation(probation=probation, max_crashes=max_crashes)
        child = parts.registry.get(handle.id)
        if child is None or self._handle_of(handle.id) != handle:
            raise ActorStopped(handle.id)
        if handle.id.namespace == HOST_NAMESPACE:
            raise UpgradeFailed(handle.id, "it is host code")
        parts.supervisor.check_open(child.spec)
        upgrade = Upgrade(terms, self._settings.host_id)
        with parts.admission.upgrade_under_way(child, upgrade):
            compiled: Any = await parts.host.bind(await parts.host.compile(source, child.spec.limits), child.spec.given)
            await parts.supervisor.upgrades.run(child, upgrade, compiled)
