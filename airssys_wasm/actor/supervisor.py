"""Keeps components alive: starts them, sees them end, and carries out what follows.

One task does all of it, from an inbox: commands of callers, ends of actors, deadlines that have come (of back-off and
of grace periods; they are timers that write to the inbox). It never waits for a guest and never sleeps. What follows
from an end is decided by `restarts.plan`, where a child may go by `lifecycle.advance`, the steps are in `children.py`.

    stop_child, restart, wake ────┐
    ComponentActor.run ─► its end ┼─► inbox ─► one step, without waiting ─► actor: started, told, killed
    clock ─► deadline ────────────┘

Two steps are taken where they come up, for a start would wait two turns of the loop for them: `begin` of a child that
nobody else knows yet, and `started`, which an actor reports. No step waits for anything: these too come between others.

Each child counts its restarts for itself, and a failed one ends alone.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Final, Self, final

import anyio
from anyio.abc import TaskGroup

from airssys_wasm.actor import anew, passivation
from airssys_wasm.actor.child import Child, ChildSpec
from airssys_wasm.actor.children import ABANDONED, UNLOADED, Children
from airssys_wasm.actor.delivery import Delivery
from airssys_wasm.actor.links import Links
from airssys_wasm.actor.registry import Registry
from airssys_wasm.actor.root import RootTask
from airssys_wasm.actor.tree_root import Tree
from airssys_wasm.actor.trees import Trees
from airssys_wasm.actor.upgrades import Upgrades
from airssys_wasm.core.errors import ActorStopped
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.ids import ComponentHandle, ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.messages import ComponentMessage, MessagePayload
from airssys_wasm.core.observations import ActorState, Observer, Unobserved
from airssys_wasm.core.ports import Clock, GuestHost

CLOSING: Final = ExitReason(ExitKind.STOPPED, "its supervisor is closing")
KILLED: Final = ExitReason(ExitKind.STOPPED, "killed")

DEFAULT_STOP_TIMEOUT: Final = 30.0
"""Seconds for all children together before the rest is killed."""

ORDERED_SECONDS: Final = 5.0
"""How long a stop keeps strictly to one child after the other, so that a few that hang do not use up everyone's time:
the default grace period of one."""


SLEEPERS_AT_ONCE: Final = 32
"""Components that sleep are stopped together, as many as the loop is held for a fraction of a millisecond by."""


@final
class Supervisor:
    """An actor and a mailbox in front of each component; a `RuntimeEngine`, and what a system stands on.

    As an async context manager it has a task group of its own and may be left in another task than it was entered in;
    leaving it by an exception kills its children, otherwise they are stopped.

    Args:
        host: makes the guests; it is not closed with the supervisor.
        observer: is told of events and dead letters.
        clock: the running event loop unless a test moves its own.
        limits: of components loaded through `load_component`.
        stop_timeout: seconds for all children together when the supervisor is left.
        registry: where its children are found; one of its own by default.
    """

    def __init__(
        self,
        host: GuestHost,
        *,
        observer: Observer | None = None,
        clock: Clock | None = None,
        limits: Limits | None = None,
        stop_timeout: float = DEFAULT_STOP_TIMEOUT,
        registry: Registry | None = None,
    ) -> None:
        self.registry = Registry() if registry is None else registry
        self._host = host
        self._observer = observer or Unobserved()
        self._given_clock = clock
        self._limits = limits or Limits()
        self._stop_timeout = stop_timeout
        self._inbox: deque[Callable[[], None]] = deque()
        self._bell = asyncio.Event()
        self._root: RootTask | None = None
        self._closing = self._leaving = self._closed = False

    async def __aenter__(self) -> Self:
        """Start supervising, in a task group of its own."""
        self._root = root = RootTask("airssys supervisor")
        await root.__aenter__()
        self.attach(root.group)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop all children, or kill them when an exception leaves; cancelled meanwhile, kill what is left."""
        try:
            await self.aclose(kill=exc_type is not None)
        finally:
            if self._root is not None:
                await self._root.__aexit__(exc_type, exc, traceback)

    def attach(self, group: TaskGroup) -> None:
        """Start supervising, in a task group of whoever owns this supervisor."""
        self.clock: Clock = self._given_clock or asyncio.get_running_loop()
        self.delivery = Delivery(self.clock, self._observer)
        self.links = Links(self._observer, self.registry)
        self._children = Children(self._host, self.clock, self.links, self.registry, self._post)
        self._children.group = group
        self.trees, self.upgrades = Trees(self._children, self), Upgrades(self._children)
        group.start_soon(self._supervise, name="supervisor")

    def on_failed(self, told: Callable[[ComponentId, ExitReason], object]) -> None:
        """Have this called when a child that stands alone, or a tree, has given up: on which component, and why."""
        self._children.on_failed = told

    async def aclose(self, *, kill: bool = False) -> None:
        """Stop all children in the reverse order of their starts, within `stop_timeout`; then kill what is left.

        Args:
            kill: whether to kill all at once instead.

        Cancellation: what is left is killed, without waiting for it; whoever owns the task group does that.
        """
        self._closing = True
        try:
            if not kill:
                await self._stop_in_order()
        finally:
            self._leaving = True
            for tree in self._children.tops:
                if isinstance(tree, Tree):
                    self._post(partial(tree.kill, KILLED))
            for child in tuple(self._children.all):
                self._post(partial(self._children.kill, child, KILLED))
            self._bell.set()
        for top in tuple(self._children.tops):
            await self._until_gone(top)

    async def start_child(self, spec: ChildSpec) -> Child:
        """Start a component.

        Returns:
            The child, once its `initialize` has succeeded.

        Raises:
            InstantiationFailed: It could not be started, or `initialize` failed; nothing is left of it.
            AirssysError: What else its host found wrong with it.

        Cancellation: as for a failure.
        """
        self.check_open(spec)
        child = self._children.new(spec)
        started = child.starting.join()
        self._children.begin(child)
        try:
            await started
        except asyncio.CancelledError:
            self._post(partial(self._children.kill, child))
            with anyio.CancelScope(shield=True):
                await self._until_gone(child)
            raise
        return child

    def check_open(self, spec: ChildSpec) -> None:
        """Refuse a child once the supervisor is closing; raises ActorStopped."""
        if self._closing:
            raise ActorStopped(spec.id, CLOSING)

    async def stop_child(self, child: Child, *, drain: bool = False) -> None:
        """Stop a component for good and wait until it is gone; silent when it is gone already.

        Args:
            child: which one.
            drain: whether what waits in the mailbox is handled first, within the same grace period.

        Cancellation: the stop goes on.
        """
        child.drain |= drain
        self._post(partial(self._children.stop, child))
        await self._until_gone(child)

    async def restart(self, child: Child) -> None:
        """Replace the instance, or revive a failed component, and wait until the new one has initialized.

        Raises:
            ActorStopped: It is gone, or was stopped meanwhile.
            AirssysError: The new instance could not be started; what follows is the restart plan's to say.

        Cancellation: the restart goes on.
        """
        if self._closed:
            raise ActorStopped(child.id, child.reason)
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._post(partial(anew.restart, self._children, child, started))
        await started

    async def wake(self, child: Child) -> None:
        """Revive a component if it sleeps, and wait until it has initialized.

        Raises:
            AirssysError: It could not be started, or is gone.

        Cancellation: the start goes on.
        """
        if child.state is ActorState.ASLEEP:
            started = child.starting.join()
            self._post(partial(passivation.wake, self._children, child))
            await started

    async def wait_stopped(self, child: Child) -> ExitReason:
        """Wait until a component is gone or has failed; returns how it ended."""
        while child.state not in {ActorState.STOPPED, ActorState.FAILED}:
            await child.ending.join()
        return child.reason or KILLED

    async def load_component(self, id: ComponentId, data: bytes) -> ComponentHandle:  # noqa: A002 - the stable name
        """Compile and start a component with the supervisor's limits; an id may be loaded more than once here."""
        compiled = await self._host.compile(data, self._limits)
        child = await self.start_child(ChildSpec(id=id, compiled=compiled, limits=self._limits))
        return child.handle

    async def unload_component(self, handle: ComponentHandle) -> None:
        """Stop a component; silent when the handle is unknown or already unloaded."""
        child = self.registry.find(handle)
        if child is not None:
            await self.stop_child(child)

    async def call_handle_message(self, handle: ComponentHandle, message: ComponentMessage) -> MessagePayload | None:
        """Have the component handle a message in its turn; None is the guest's `none`."""
        answer = await self.delivery.ask(self.registry.by_handle(handle), message, None)
        return None if answer is None else MessagePayload(answer)

    async def call_handle_callback(self, handle: ComponentHandle, message: ComponentMessage) -> None:
        """Have the component take the answer to one of its requests, in its turn."""
        await self.delivery.ask(self.registry.by_handle(handle), message, None, callback=True)

    def _post(self, step: Callable[[], None]) -> None:
        self._inbox.append(step)
        self._bell.set()

    async def _supervise(self) -> None:
        """Take one step after the other; only this task takes any."""
        try:
            while self._inbox or self._children.all or not self._leaving:
                self._bell.clear()
                while self._inbox:
                    self._inbox.popleft()()
                if self._children.all or not self._leaving:
                    await self._bell.wait()
        finally:
            self._closing = self._closed = True
            self._children.abandon()
            self.links.close(ABANDONED)
            for step in self._inbox:
                step()
            self.delivery.close()
            await self._children.tasks.over()

    async def _stop_in_order(self) -> None:
        begun = self.clock.time()
        children = tuple(reversed(self._children.tops))
        for number, child in enumerate(children, start=1):
            self._post(
                partial(child.stop, UNLOADED) if isinstance(child, Tree) else partial(self._children.stop, child)
            )
            if child.state is ActorState.ASLEEP and number % SLEEPERS_AT_ONCE:
                continue  # there is nothing to wait for: it is gone with that step
            await self._gone_by(child, begun + min(ORDERED_SECONDS, self._stop_timeout))
        for child in children:
            await self._gone_by(child, begun + self._stop_timeout)

    async def _gone_by(self, child: Child | Tree, when: float) -> None:
        """Wait until it is gone, or until that time."""
        if child.gone or self.clock.time() >= when:
            return
        with anyio.CancelScope() as scope:
            timer = self.clock.call_at(when, scope.cancel)
            try:
                await self._until_gone(child)
            finally:
                timer.cancel()

    async def _until_gone(self, what: Child | Tree) -> None:
        """Wait until nothing of it is left. Cancellation: nothing changes for it."""
        while not what.gone:
            await what.ending.join()
