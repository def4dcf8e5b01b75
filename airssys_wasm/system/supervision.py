"""Trees of supervisors in a system."""

import abc
import contextlib
from collections.abc import Mapping
from types import ModuleType
from typing import Final, final

import attrs

from airssys_wasm.actor.child import DEFAULT_SHUTDOWN, ChildSpec, Shutdown, check_shutdown
from airssys_wasm.actor.restarts import RestartPolicy
from airssys_wasm.actor.tree_root import Tree
from airssys_wasm.actor.tree_spec import SupervisorSpec
from airssys_wasm.actor.trees import Trees
from airssys_wasm.core.calls import Given
from airssys_wasm.core.config import ComponentConfig, Execution, Restart, one_of
from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.exits import ExitReason
from airssys_wasm.core.health import HealthCheck, check_health, check_passivate_after
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.mailboxes import MailboxPolicy, mailbox_policy
from airssys_wasm.core.observations import ActorState
from airssys_wasm.security.capabilities import Capabilities
from airssys_wasm.system.builder import Parts, Settings

_NOTHING: Final = Capabilities()


def _restart(value: Restart | str) -> Restart:
    return one_of(Restart, "restart", value)


def _execution(value: Execution | str) -> Execution:
    return one_of(Execution, "execution", value)


@final
@attrs.frozen(kw_only=True)
class ComponentSpec:
    """A component of a tree; what it says is what `ActorSystem.load` takes.

    Raises:
        ConfigError: A setting is wrong.
    """

    id: ComponentId = attrs.field(kw_only=False)
    source: object = attrs.field(kw_only=False, repr=False)
    """Bytes, a path, or what `compile` gave."""
    capabilities: Capabilities | None = attrs.field(default=None)
    limits: Limits | None = None
    restart: Restart = attrs.field(default=Restart.TRANSIENT, converter=_restart)
    config: object = attrs.field(default=None, repr=False)
    env: Mapping[str, str] | None = attrs.field(default=None, repr=False)
    execution: Execution = attrs.field(default=Execution.AUTO, converter=_execution)
    shutdown: Shutdown = attrs.field(default=DEFAULT_SHUTDOWN, validator=check_shutdown)
    health: HealthCheck | None = attrs.field(default=None, validator=check_health)
    passivate_after: float | None = attrs.field(default=None, validator=check_passivate_after)
    mailbox: MailboxPolicy = attrs.field(factory=MailboxPolicy, converter=mailbox_policy)
    inherit_storage: bool = False
    imports: Mapping[str, object] | None = attrs.field(default=None, repr=False)
    types: ModuleType | None = attrs.field(default=None, repr=False)

    @capabilities.validator
    def _check_capabilities(self, _attribute: object, value: object) -> None:
        if not isinstance(value, Capabilities | None):
            raise ConfigError("capabilities", value, "is not Capabilities(...)")

    def child_spec(self, parts: Parts, limits: Limits, policy: RestartPolicy | None = None) -> ChildSpec:
        """For the supervisor, not yet compiled; `limits` are the system's, without `policy` it is that of `restart`."""
        config = self.config
        return ChildSpec(
            id=self.id,
            compiled=self.source,
            given=Given.of(self.imports, self.types),
            limits=limits if self.limits is None else self.limits,
            config=config if isinstance(config, ComponentConfig) else ComponentConfig.of(config, self.env),
            policy=policy or RestartPolicy.plain(self.restart),
            execution=self.execution,
            shutdown=self.shutdown,
            health=self.health,
            passivate_after=self.passivate_after,
            room=parts.admission,
            mailbox=self.mailbox,
            outbox=parts.router,
            storage=parts.storage,
            authorise_storage=parts.authorise_storage,
        )


@final
@attrs.frozen(repr=False)
class SupervisorHandle:
    """One tree of supervisors; it survives restarts. Its components are found with `ActorSystem.get`."""

    _tree: Tree
    _trees: Trees = attrs.field(eq=False)

    @property
    def name(self) -> str:
        """Of the supervisor at the top."""
        return self._tree.spec.name

    @property
    def state(self) -> ActorState:
        """Running while it keeps its components alive, whatever they are doing; failed once it has given up."""
        return self._tree.state

    @property
    def components(self) -> tuple[ComponentId, ...]:
        """The ids it was started with, in start order."""
        return tuple(component.id for component in self._tree.spec.components())

    async def restart(self) -> None:
        """Start all anew after it has failed; nothing while it runs.

        Raises:
            InstantiationFailed: A component could not be started, or the tree is gone.

        Cancellation: the start goes on.
        """
        await self._trees.restart(self._tree)

    async def stop(self, *, drain: bool = False) -> None:
        """Unload all components in reverse start order; silent when they are gone. Cancellation: the stop goes on.

        Args:
            drain: whether each handles the messages that wait first, within its own grace period; otherwise they end as
                `ActorStopped`.
        """
        await self._trees.stop(self._tree, drain=drain)

    async def wait_stopped(self) -> ExitReason:
        """Wait until it is gone or has failed; returns how it ended. Cancellation: nothing changes for the tree."""
        return await self._trees.wait_stopped(self._tree)

    def __repr__(self) -> str:
        return f"SupervisorHandle({self.name!r}, {self.state})"


class Supervision(abc.ABC):
    """The part of `ActorSystem` that keeps trees of supervisors."""

    _settings: Settings

    @abc.abstractmethod
    def _parts(self) -> Parts:
        """The objects of the running system; raises RuntimeError when it has not been entered."""

    async def supervise(self, spec: SupervisorSpec[ComponentSpec]) -> SupervisorHandle:
        """Start a tree of supervisors and components, one component after the other in the order of the specification.

        Args:
            spec: its children are `ComponentSpec` and further `SupervisorSpec`.

        Returns:
            Its handle, once every `initialize` has succeeded.

        Raises:
            AlreadyLoaded: One of the ids is taken.
            InstantiationFailed: One could not be started, or the system is full; those that had started were stopped.
            ActorStopped: The system is being left.
            AirssysError: What else `load` would have said of one.

        Cancellation: as for a failure: nothing is left behind, and the ids are free again.
        """
        parts = self._parts()
        if not isinstance(spec, SupervisorSpec):
            raise ConfigError("spec", spec, "is not SupervisorSpec(...)")
        with contextlib.ExitStack() as under_way:
            for component in spec.components():
                limits = component.limits or self._settings.limits
                under_way.enter_context(parts.admission.load_under_way(component.id, limits))
            with contextlib.ExitStack() as granted:
                for component in spec.components():
                    parts.guard.grant(component.id, component.capabilities or _NOTHING)
                    granted.callback(parts.guard.forget, component.id)
                tree = await parts.supervisor.trees.start(await self._compiled(parts, spec))
                granted.pop_all()
        return SupervisorHandle(tree, parts.supervisor.trees)

    async def _compiled(self, parts: Parts, spec: SupervisorSpec[ComponentSpec]) -> SupervisorSpec[ChildSpec]:
        """Everything compiled, before anything starts."""
        children: list[ChildSpec | SupervisorSpec[ChildSpec]] = []
        for child in spec.children:
            if isinstance(child, SupervisorSpec):
                children.append(await self._compiled(parts, child))
                continue
            made = child.child_spec(parts, self._settings.limits)
            compiled = await parts.host.bind(await parts.host.compile(made.compiled, made.limits), made.given)
            parts.supervisor.check_open(made)
            await parts.storage.claim(child.id, compiled.digest, inherit=child.inherit_storage)
            children.append(attrs.evolve(made, compiled=compiled))
        return attrs.evolve(spec, children=children)  # type: ignore[arg-type, return-value]
