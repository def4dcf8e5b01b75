"""`ActorSystem`: what an application holds. Components are loaded into it, asked, told, and unloaded."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Self, final

import attrs

from airssys_wasm.actor.child import DEFAULT_SHUTDOWN, Child, ChildSpec, Shutdown
from airssys_wasm.actor.handle import ActorHandle
from airssys_wasm.actor.restarts import RestartPolicy
from airssys_wasm.actor.root import RootTask
from airssys_wasm.actor.supervisor import DEFAULT_STOP_TIMEOUT
from airssys_wasm.core.config import Execution, Restart
from airssys_wasm.core.health import HealthCheck
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.mailboxes import MailboxPolicy, MailboxRule
from airssys_wasm.core.ports import Clock, GuestHost
from airssys_wasm.core.storage import Storage
from airssys_wasm.runtime.compiled import CompiledComponent
from airssys_wasm.runtime.storage import IN_MEMORY
from airssys_wasm.security.capabilities import Capabilities
from airssys_wasm.security.learn import Learner
from airssys_wasm.security.policy import Policy
from airssys_wasm.security.sinks import Sink
from airssys_wasm.system.authority import Authority
from airssys_wasm.system.builder import Parts, Resources, Settings, build, open_resources
from airssys_wasm.system.events import Observatory
from airssys_wasm.system.fail_fast import FailFast
from airssys_wasm.system.linking import Linking
from airssys_wasm.system.supervision import ComponentSpec, Supervision
from airssys_wasm.system.traffic import Traffic
from airssys_wasm.system.upgrading import Upgrading
from airssys_wasm.system.watching import Watching

Source = bytes | bytearray | memoryview | Path | CompiledComponent
"""Where a component comes from: its bytes, its file, or what `compile` gave."""


@final
class ActorSystem(Traffic, Authority, Supervision, Upgrading, Linking, Watching):
    """Components as supervised actors, on the running event loop.

    Leaving `async with` stops all components in the reverse order of their loads, within `stop_timeout`; leaving by
    an exception, or being cancelled meanwhile, kills them. Entering and leaving may happen in different tasks.

    Args:
        name: host code sends as `host/<name>/0`.
        storage: where components keep their keys: a file, or ":memory:" until the system is left.
        limits: of components that are loaded without limits of their own.
        max_components: how many may be loaded at a time; None without limit.
        max_total_memory_bytes: what the `max_memory_bytes` of all that do not sleep may add up to; None without limit.
        policies: rules that forbid what is granted, asked in their order.
        audit: where every decision is recorded, `JsonLinesSink`, `LoggingSink` or `MemorySink`; none: nowhere.
        learner: permits everything between components and storage and remembers what was used; None: only grants do.
        stop_timeout: seconds for all components together to stop when the system is left.
        fail_fast: whether a component or a tree that gives up ends the system: the task that entered is cancelled, and
            leaving raises an ExceptionGroup. Otherwise it is marked failed, and the rest lives.
        host: makes the guests; a `WasmtimeEngine` of its own by default. One that is given is not closed.
        clock: the running event loop unless a test moves its own.

    Raises:
        InvalidId: The name cannot be part of an id.
        ConfigError: A number is not one, or out of its range.
    """

    def __init__(
        self,
        name: str = "app",
        *,
        storage: Path | str = IN_MEMORY,
        limits: Limits | None = None,
        max_components: int | None = None,
        max_total_memory_bytes: int | None = None,
        policies: Iterable[Policy] = (),
        audit: Iterable[Sink] = (),
        learner: Learner | None = None,
        stop_timeout: float = DEFAULT_STOP_TIMEOUT,
        fail_fast: bool = False,
        host: GuestHost | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._settings = Settings(
            host_id=name,
            storage=storage,
            limits=Limits() if limits is None else limits,
            max_components=max_components,
            max_total_memory_bytes=max_total_memory_bytes,
            policies=tuple(policies),
            audit=tuple(audit),
            learner=learner,
            stop_timeout=stop_timeout,
        )
        self._given_host, self._clock = host, clock
        self._observatory = Observatory()
        self._fail_fast = FailFast(fail_fast)
        self._entered: tuple[RootTask, Parts] | None = None

    async def __aenter__(self) -> Self:
        """Start the engine and the supervisor.

        Raises:
            EngineCreation: There is no engine for these settings.
            StorageUnavailable: The storage file cannot be used.
            RuntimeError: It was entered before.
        """
        if self._entered is not None:
            raise RuntimeError("an ActorSystem is entered once")
        resources = await open_resources(self._settings, self._given_host)
        root = RootTask("airssys system", partial(self._close, resources))
        await root.__aenter__()
        try:
            self._entered = root, build(self._settings, resources, self._observatory, root.group, self._clock)
        except BaseException:
            await root.__aexit__(None, None, None)
            raise
        self._fail_fast.enter(self._parts().supervisor)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the components, or kill them when an exception leaves; afterwards nothing of the system runs.

        Raises:
            ExceptionGroup: With `fail_fast`, what gave up: an ActorStopped for each.

        Cancellation: the components that are left are killed and everything is closed before it goes on.
        """
        root, parts = self._running()
        is_other = self._fail_fast.leave(exc)
        try:
            await parts.supervisor.aclose(kill=exc_type is not None)
        finally:
            await root.__aexit__(exc_type, exc, traceback)
        self._fail_fast.raise_failures(exc, is_other=is_other)

    async def load(
        self,
        id: ComponentId,  # noqa: A002 - the stable name
        source: Source,
        *,
        capabilities: Capabilities | None = None,
        limits: Limits | None = None,
        restart: Restart | str | RestartPolicy = Restart.TRANSIENT,
        config: object = None,
        env: Mapping[str, str] | None = None,
        execution: Execution | str = Execution.AUTO,
        shutdown: Shutdown = DEFAULT_SHUTDOWN,
        health: HealthCheck | None = None,
        passivate_after: float | None = None,
        mailbox: MailboxPolicy | str = MailboxRule.WAIT,
        inherit_storage: bool = False,
        imports: Mapping[str, object] | None = None,
        types: ModuleType | None = None,
    ) -> ActorHandle:
        """Compile and start a component under a supervisor's care.

        Args:
            id: its address, free until now.
            source: bytes, a path, or what `compile` gave.
            capabilities: what it may do; None: nothing.
            limits: what it may use; None: the system's.
            restart: when it is started again, "permanent", "transient" or "temporary"; with a `RestartPolicy` also how
                often and how soon.
            config: for its `initialize`, now and at each restart: bytes as they are, a str as UTF-8, a dict as JSON.
            env: for its `initialize`.
            execution: where its calls run, "auto", "loop" or "thread".
            shutdown: seconds for the message in progress and `shutdown` when it is stopped; "brutal": none at all,
                "infinite": no bound of its own.
            health: how often it is asked for its health, and when it is restarted for that; None: never.
            passivate_after: seconds without a message after which it gives up its instance, after `shutdown`, until
                there is a message; what it is to keep has to be in storage. None: never.
            mailbox: what becomes of a message that finds its mailbox full: "wait", "reject", "drop-oldest",
                "drop-newest", or `MailboxPolicy("latest-by-key", key="json:id")`.
            inherit_storage: whether it may have what another binary stored under this id.
            imports: objects or modules for the interfaces that it imports, by their names; giving one permits its use.
            types: a module that `airssys-wasm types` wrote for it, whose classes its values then have.

        Returns:
            Its handle, once `initialize` has succeeded.

        Raises:
            AlreadyLoaded: The id is taken, also by a load under way.
            InvalidId: The namespace is reserved.
            ConfigError: A setting is wrong.
            InvalidComponent: It is no component that can run here.
            ExportNotFound: It does not fit the contract.
            ImportsUnfit: All that it imports and nobody provides, and all of `imports` that does not fit.
            InstantiationFailed: It could not be started, `initialize` failed, or the system is full.
            StorageClaimed: Another binary stored data under this id; `system.storage.erase(id)` or `inherit_storage`.
            StorageUnavailable: The storage file cannot be used.
            ActorStopped: The system is being left.

        Cancellation: as for a failure: nothing is left behind, and the id is free again.
        """
        _, parts = self._running()
        policy = restart if isinstance(restart, RestartPolicy) else RestartPolicy.plain(restart)
        spec = ComponentSpec(
            id,
            source,
            capabilities=capabilities,
            limits=limits,
            config=config,
            env=env,
            execution=execution,
            shutdown=shutdown,
            health=health,
            passivate_after=passivate_after,
            imports=imports,
            types=types,
            mailbox=mailbox,
        ).child_spec(parts, self._settings.limits, policy)
        with parts.admission.load_under_way(id, spec.limits):
            if capabilities is not None:
                parts.guard.grant(id, capabilities)
            try:
                return self._handle(parts, await self._start(parts, spec, inherit=inherit_storage))
            except BaseException:
                parts.guard.forget(id)
                raise

    async def compile(self, source: Source, sha256: str | None = None) -> CompiledComponent:
        """Compile a component once, for many loads.

        Args:
            source: bytes or a path.
            sha256: the hexadecimal digest that it must have; None for any.

        Raises:
            InvalidComponent: It is no component that can run here, or its digest differs.
            ExportNotFound: It does not fit the contract.

        Cancellation: the result is lost.
        """
        _, parts = self._running()
        compiled: CompiledComponent = await parts.host.compile(source, self._settings.limits, sha256)
        return compiled

    async def unload(self, handle: ActorHandle, *, drain: bool = False) -> None:
        """Stop a component and wait until it is gone; silent when it is gone already, or never was here.

        The message in progress is finished and `shutdown` called, together within the component's grace period.

        Args:
            handle: which one.
            drain: whether the messages that wait are handled first, within the same period; otherwise they end as
                `ActorStopped`.

        Cancellation: the stop goes on.
        """
        _, parts = self._running()
        child = parts.registry.get(handle.id)
        if child is not None and self._handle(parts, child) == handle:
            await parts.supervisor.stop_child(child, drain=drain)

    def get(self, id: ComponentId) -> ActorHandle | None:  # noqa: A002 - the stable name
        """The handle of a loaded component, a failed one included; None when there is none."""
        _, parts = self._running()
        child = parts.registry.get(id)
        return None if child is None else self._handle(parts, child)

    def _running(self) -> tuple[RootTask, Parts]:
        if self._entered is None:
            raise RuntimeError("the ActorSystem has not been entered; use `async with`")
        return self._entered

    def _handle(self, parts: Parts, child: Child) -> ActorHandle:
        return ActorHandle(child, parts.router, parts.supervisor)

    async def _close(self, resources: Resources) -> None:
        """The last of a system, once its components are gone."""
        self._observatory.end()
        await resources.aclose()

    def _parts(self) -> Parts:
        return self._running()[1]

    def _handle_of(self, id: ComponentId) -> ActorHandle | None:  # noqa: A002 - the stable name
        return self.get(id)

    @property
    def storage(self) -> Storage:
        """Where components keep their keys; `await system.storage.erase(id)` removes all of one id."""
        return self._parts().storage

    async def _start(self, parts: Parts, spec: ChildSpec, *, inherit: bool) -> Child:
        compiled = await parts.host.bind(await parts.host.compile(spec.compiled, spec.limits), spec.given)
        parts.supervisor.check_open(spec)
        await parts.storage.claim(spec.id, compiled.digest, inherit=inherit)
        spec = spec if compiled is spec.compiled else attrs.evolve(spec, compiled=compiled)
        return await parts.supervisor.start_child(spec)
