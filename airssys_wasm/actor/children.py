"""What a supervisor does with a child, step by step; no step waits for anything.

| step | of a child that is | does |
|---|---|---|
| begin | starting | starts an actor |
| started | any but stopped | tells who waits for it |
| ended | starting | gone, with the error for who loaded it |
| ended | running, restarting | what the plan says: again after a delay, failed, or gone |
| ended | stopping | gone |
| ended | stopped | nothing: the supervisor itself was cancelled |
| restart | running | has the actor end as interrupted |
| restart | restarting | starts at once instead of after the delay |
| restart | failed | opens a new mailbox, forgets the restarts, starts |
| stop | running | has the actor stop; kills it when the grace period is over |
| stop | any other | kills the actor if there is one, gone |
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, final

import attrs
from anyio.abc import TaskGroup

from airssys_wasm.actor.actor import ComponentActor
from airssys_wasm.actor.child import Child, ChildSpec, Order
from airssys_wasm.actor.lifecycle import LifecycleEvent
from airssys_wasm.actor.registry import Registry
from airssys_wasm.actor.restarts import GiveUp, Gone, RestartAfter, RestartWindow, plan
from airssys_wasm.core.errors import ActorStopped, AirssysError, ExecutionError, GuestError, InstantiationFailed
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.observations import ActorState, Event, EventKind, Observer
from airssys_wasm.core.ports import Clock, GuestHost

UNLOADED: Final = ExitReason(ExitKind.STOPPED, "on request")
ABANDONED: Final = ExitReason(ExitKind.STOPPED, "its supervisor was cancelled")


@final
@attrs.define(eq=False, repr=False)
class Children:
    """The children of one supervisor and the steps it takes with them; `post` puts a step into its inbox."""

    host: GuestHost
    clock: Clock
    observer: Observer
    registry: Registry
    post: Callable[[Callable[[], None]], None]
    group: TaskGroup = attrs.field(init=False)
    all: dict[Child, None] = attrs.field(factory=dict, init=False)

    def new(self, spec: ChildSpec) -> Child:
        """A child that is about to begin."""
        child = Child(spec, self.registry.next_handle(spec.id), self.observer)
        self.all[child] = None
        return child

    def begin(self, child: Child) -> None:
        """Start an actor, unless a stop came first."""
        if child.state not in {ActorState.STARTING, ActorState.RESTARTING}:
            return
        child.cancel_timer()
        child.restarts += child.state is ActorState.RESTARTING
        child.actor = actor = ComponentActor(child, self.host, self.clock)
        self.group.start_soon(self._run, child, actor, name=f"{child.handle}")

    async def _run(self, child: Child, actor: ComponentActor) -> None:
        """Live as a task; how it ended goes into the inbox. Code that cancels its own task ends its own actor."""
        try:
            reason = await actor.run(partial(self.post, partial(self.started, child)))
        except asyncio.CancelledError:
            if self.group.cancel_scope.cancel_called:
                raise
            reason = ExitReason(ExitKind.CRASHED, "its task was cancelled from inside")
        self.post(partial(self.ended, child, actor, reason))

    def started(self, child: Child) -> None:
        """The guest has initialized."""
        if child.state is ActorState.STOPPED:
            return
        child.move(LifecycleEvent.STARTED)
        if child.state is ActorState.RUNNING:
            self.registry.add(child)
            self._tell(child, EventKind.STARTED)
            child.starting.settle()

    def ended(self, child: Child, actor: ComponentActor, reason: ExitReason) -> None:
        """An actor has ended, its guest is closed."""
        child.cancel_timer()
        child.actor = None
        child.guest_time += actor.guest_time
        if child.state is ActorState.STOPPED:
            return
        if child.state is ActorState.STOPPING:
            self._gone(child, child.reason or UNLOADED)
            return
        child.crashes += actor.ready and reason.kind is ExitKind.CRASHED
        if child.state is ActorState.STARTING:
            self._gone(child, reason, start_error(child, reason))
            return
        child.move(_end_event(actor, reason))
        kind = EventKind.CRASHED if reason.kind is ExitKind.CRASHED else EventKind.INTERRUPTED
        self._tell(child, kind, reason)
        if not actor.ready:
            child.starting.settle(start_error(child, reason))
        self._follow(child, reason)

    def _follow(self, child: Child, reason: ExitReason) -> None:
        """Carry out what the plan says."""
        match plan(child.spec.policy, child.window, reason, self.clock.time()):
            case RestartAfter(delay, attempt, window):
                child.window = window
                self._tell(child, EventKind.RESTARTING, reason, attempt, delay)
                self._begin_in(child, delay)
            case GiveUp():
                child.move(LifecycleEvent.GIVE_UP)
                failed = ExitReason(ExitKind.FAILED, reason.detail, reason.cause)
                child.close_mailbox(failed)
                self._tell(child, EventKind.FAILED, failed)
                child.starting.settle(ActorStopped(child.id, failed))
                child.ending.settle()
            case Gone():
                self._gone(child, reason)

    def _begin_in(self, child: Child, delay: float) -> None:
        if not delay:
            self.begin(child)
            return
        begin = partial(self.post, partial(self.begin, child))
        child.timer = self.clock.call_at(self.clock.time() + delay, begin)

    def restart(self, child: Child, started: "asyncio.Future[None]") -> None:
        """Have a new instance, whatever state it is in; `started` is completed when it has initialized."""
        child.starting.add(started)
        match child.state:
            case ActorState.RUNNING if child.actor is not None:
                child.actor.tell(Order.RESTART)
                child.actor.interrupt()
                self._kill_after_grace(child)
            case ActorState.RESTARTING if child.actor is None:
                self.begin(child)
            case ActorState.FAILED:
                child.open_mailbox()
                child.window, child.reason = RestartWindow(), None
                child.move(LifecycleEvent.REVIVE)
                self.begin(child)
            case ActorState.STOPPING | ActorState.STOPPED:
                child.starting.settle(ActorStopped(child.id, child.reason))

    def stop(self, child: Child, reason: ExitReason = UNLOADED, *, drain: bool = False) -> None:
        """Have it end for good; nothing when that is under way."""
        if child.state in {ActorState.STOPPING, ActorState.STOPPED}:
            return
        running = child.state is ActorState.RUNNING
        child.move(LifecycleEvent.STOP)
        child.cancel_timer()
        if running and child.actor is not None:
            child.actor.tell(Order.STOP)
            if not drain:
                child.close_mailbox(reason)
            else:
                child.reason = reason
                child.backlog.extend(child.mailbox.close(reason))
            self._kill_after_grace(child)
        else:
            self.kill(child, reason)

    def kill(self, child: Child, reason: ExitReason = UNLOADED) -> None:
        """Have it end for good, now."""
        if child.state is ActorState.STOPPED:
            return
        child.move(LifecycleEvent.STOP)
        child.cancel_timer()
        child.close_mailbox(child.reason or reason)
        if child.actor is not None:
            child.actor.kill()
        else:
            self._gone(child, reason)

    def _kill_after_grace(self, child: Child) -> None:
        """Bound the message in progress and `shutdown` together."""
        actor, grace = child.actor, child.spec.shutdown
        if actor is None or grace == "infinite":
            return
        if grace == "brutal":
            actor.kill()
        else:
            child.cancel_timer()
            child.timer = self.clock.call_at(self.clock.time() + float(grace), actor.kill)

    def _gone(self, child: Child, reason: ExitReason, error: BaseException | None = None) -> None:
        """Nothing of it is left but what others still hold."""
        was_known = self.registry.find(child.handle) is child
        child.move(LifecycleEvent.START_FAILED if child.state is ActorState.STARTING else LifecycleEvent.STOPPED)
        child.close_mailbox(reason)
        self.registry.remove(child)
        self.all.pop(child, None)
        if was_known:
            self._tell(child, EventKind.STOPPED, reason)
        child.starting.settle(error or ActorStopped(child.id, reason))
        child.ending.settle()

    def abandon(self) -> None:
        """The supervisor itself is being torn down: let nobody wait for what will not come."""
        for child in tuple(self.all):
            child.cancel_timer()
            child.state = ActorState.STOPPED
            child.close_mailbox(ABANDONED)
            self.registry.remove(child)
            child.starting.settle(ActorStopped(child.id, ABANDONED))
            child.ending.settle()
        self.all.clear()

    def _tell(
        self, child: Child, kind: EventKind, reason: ExitReason | None = None, attempt: int = 0, delay: float = 0.0
    ) -> None:
        self.observer.event(Event(kind, child.id, reason, attempt, delay))


def start_error(child: Child, reason: ExitReason) -> BaseException:
    """What the failure of a start is to those who wait for it."""
    match reason.cause:
        case None:
            return ActorStopped(child.id, reason)
        case GuestError() as cause:
            error = InstantiationFailed(f"initialize answered {cause}", child.id)
        case AirssysError() as cause if not isinstance(cause, ExecutionError):
            return cause
        case cause:
            error = InstantiationFailed(str(cause) or type(cause).__name__, child.id)
    error.__cause__ = cause
    return error


def _end_event(actor: ComponentActor, reason: ExitReason) -> LifecycleEvent:
    if not actor.ready:
        return LifecycleEvent.START_FAILED
    return LifecycleEvent.CRASHED if reason.kind is ExitKind.CRASHED else LifecycleEvent.INTERRUPTED
