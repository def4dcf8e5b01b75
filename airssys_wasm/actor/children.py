"""What a supervisor does with a child, step by step; no step waits for anything.

| step | of a child that is | does |
|---|---|---|
| begin | starting | starts an actor |
| started | any but stopped | tells who waits for it |
| ended | starting | gone, with the error for who loaded it |
| ended | running, restarting | what the plan says: again after a delay, failed, or gone |
| ended | stopping | gone; one that had just fallen asleep starts again to drain what came meanwhile |
| ended | any, because nobody needed it | asleep, until it is needed: `passivation.py` |
| ended | of a tree | what its supervisor in the tree decides, `tree.py` |
| hold | running | has the actor end as for a restart, which its supervisor will begin |
| ended | stopped | nothing: the supervisor itself was cancelled |
| restart | running | has the actor end as interrupted |
| restart | restarting | starts at once instead of after the delay |
| restart | asleep | revives it |
| restart | failed | opens a new mailbox, forgets the restarts, starts |
| stop | running, or starting again and it is to drain | has the actor stop; kills it when the grace period is over |
| stop | any other | kills the actor if there is one, gone |
"""

import random
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, final

import attrs
from anyio.abc import TaskGroup

from airssys_wasm.actor import passivation
from airssys_wasm.actor.actor import ComponentActor, OnEnd, OnReady
from airssys_wasm.actor.beside import Beside
from airssys_wasm.actor.child import Child, ChildSpec
from airssys_wasm.actor.lifecycle import LifecycleEvent, end_event
from airssys_wasm.actor.lost import start_error
from airssys_wasm.actor.orders import Order
from airssys_wasm.actor.registry import Registry
from airssys_wasm.actor.restarts import GiveUp, Gone, RestartAfter, Sleep, plan
from airssys_wasm.actor.tasks import ActorTasks
from airssys_wasm.actor.tree_leaf import Leaf
from airssys_wasm.actor.turnstile import Turnstile
from airssys_wasm.core.errors import ActorStopped
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.observations import ActorState, EventKind, Observer
from airssys_wasm.core.ports import Clock, GuestHost

if TYPE_CHECKING:
    from airssys_wasm.actor.tree import Branch
    from airssys_wasm.actor.tree_root import Tree

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
    turnstile: Turnstile = attrs.field(factory=Turnstile, init=False)
    group: TaskGroup = attrs.field(init=False)
    tasks: ActorTasks = attrs.field(factory=ActorTasks, init=False)
    on_failed: Callable[[ComponentId, ExitReason], object] = attrs.field(default=lambda *_: None, init=False)
    """Told of a supervisor that gave up and has none above it: on which component, and why."""
    all: dict[Child, None] = attrs.field(factory=dict, init=False)
    tops: "dict[Child | Tree, None]" = attrs.field(factory=dict, init=False)
    """The children that stand alone, and the trees for theirs, in start order."""
    beside: Beside = attrs.field(init=False)
    _reports: tuple[OnReady, OnEnd] = attrs.field(init=False)  # bound once: each actor keeps them

    def __attrs_post_init__(self) -> None:
        self.beside, self._reports = Beside(self), (self.started, self._has_ended)

    def new(self, spec: ChildSpec) -> Child:
        """A child that is about to begin and stands alone."""
        child = self._new(spec)
        self.tops[child] = None
        return child

    def new_in(self, branch: "Branch", spec: ChildSpec) -> Leaf:
        """A child whose supervisor is a branch of a tree."""
        child = self._new(spec)
        child.leaf = leaf = Leaf(child, branch, self)
        return leaf

    def _new(self, spec: ChildSpec) -> Child:
        child = Child(spec, self.registry.next_handle(spec.id), self.observer, self.turnstile)
        self.all[child] = None
        return child

    def begin(self, child: Child) -> None:
        """Start an actor, unless a stop came first, or a restart on request just as the back-off was over."""
        if child.actor is not None or child.state not in {ActorState.STARTING, ActorState.RESTARTING}:
            return
        child.cancel_timer()
        child.restarts += child.state is ActorState.RESTARTING
        self.launch(child)

    def launch(self, child: Child) -> None:
        """Start an actor, unless there is no room for it after its sleep: that is a start which fails."""
        is_placed = self.beside.place(child)
        refused = passivation.refusal(child)  # never of one that is placed: its memory was kept for the upgrade
        if is_placed:
            return
        child.actor = actor = ComponentActor(child, self.host, self.clock, child.spec)
        if refused is None:
            self.live(actor, f"{child.handle}")
        else:
            self.post(partial(self.ended, child, actor, refused))

    def live(self, actor: ComponentActor, name: str) -> None:
        """Have an actor live in a task; that it has initialized is a step at once, how it ended goes into the inbox."""
        self.tasks.start(actor.run(*self._reports), name)

    def _has_ended(self, child: Child, actor: ComponentActor, reason: ExitReason) -> None:
        self.post(partial(self.ended, child, actor, reason))

    def started(self, child: Child, actor: ComponentActor) -> None:
        """A guest has initialized."""
        if child.state is ActorState.STOPPED or actor is not child.actor:
            return
        child.metadata = actor.metadata
        child.move(LifecycleEvent.STARTED)
        if child.state is ActorState.RUNNING:
            self.registry.add(child)
            child.tell(EventKind.REVIVED if child.unrevived else EventKind.STARTED)
            self.runs(child)

    def runs(self, child: Child) -> None:
        """It serves: tell who waits for that."""
        child.unrevived = False
        child.starting.settle()
        if child.leaf is not None:
            child.leaf.has_started()

    def ended(self, child: Child, actor: ComponentActor, reason: ExitReason) -> None:
        """An actor has ended, its guest is closed."""
        if actor is not child.actor:
            self.beside.ended(child, actor)
            return
        child.lose_actor(actor)
        if child.state is ActorState.STOPPING:
            if child.backlog and reason.kind is ExitKind.PASSIVATED:
                self.launch(child)
                self._tell_to_stop(child)
            else:
                self._gone(child, child.reason or UNLOADED)
        elif child.state is not ActorState.STOPPED:
            self._ended_by_itself(child, actor, reason)

    def _ended_by_itself(self, child: Child, actor: ComponentActor, reason: ExitReason) -> None:
        """Or for its supervisor, which will start it again."""
        child.crashes += actor.ready and reason.kind is ExitKind.CRASHED
        reason = passivation.reason_of(child, reason)
        error = None if actor.ready else start_error(child, reason)
        if child.state is ActorState.STARTING:
            self._gone(child, reason, error)
        else:
            child.move(end_event(reason.kind, ready=actor.ready))
            kind = EventKind(reason.kind)
            if child.held is not None and reason.kind is ExitKind.INTERRUPTED:
                reason = child.held
            child.tell(kind, reason)
            if error is not None and child.held is None:
                child.starting.settle(error)
        if self.beside.rolled_back(child, reason):
            return
        if child.leaf is not None and reason.kind is not ExitKind.PASSIVATED:
            child.leaf.has_ended(reason, error)
        elif not child.gone:
            self._follow(child, reason)

    def _follow(self, child: Child, reason: ExitReason) -> None:
        """Carry out what the plan says."""
        roll = random.random()  # noqa: S311 - spreads restarts, guards nothing
        match plan(child.spec.policy, child.window, reason, self.clock.time(), roll=roll):
            case RestartAfter(delay, attempt, window):
                child.window = window
                self.announce(child, reason, attempt, delay)
                self._begin_in(child, delay)
            case GiveUp():
                failed = ExitReason(ExitKind.FAILED, reason.detail, reason.cause)
                self.fail(child, failed)
                self.on_failed(child.id, failed)
            case Gone():
                self._gone(child, reason)
            case Sleep():
                passivation.lay_down(self, child)

    def fail(self, child: Child, failed: ExitReason) -> None:
        """Keep its id and nothing else; of one that has failed or is gone already, nobody waits for a start."""
        if child.state not in {ActorState.RESTARTING, ActorState.ASLEEP}:
            child.starting.settle(ActorStopped(child.id, child.reason or failed))
            return
        child.move(LifecycleEvent.GIVE_UP)
        child.close_mailbox(failed)
        child.tell(EventKind.FAILED, failed)
        child.starting.settle(ActorStopped(child.id, failed))
        child.ending.settle()

    def _begin_in(self, child: Child, delay: float) -> None:
        if not delay:
            self.begin(child)
            return
        begin = partial(self.post, partial(self.begin, child))
        child.timer = self.clock.call_at(self.clock.time() + delay, begin)

    def hold(self, child: Child, reason: ExitReason, *, now: bool = False) -> None:
        """Have its actor end and begin no other, until its supervisor does; the mailbox is kept."""
        if child.actor is None or child.state is ActorState.STOPPING:
            return
        child.held = reason
        child.actor.tell(Order.RESTART)
        if now or child.state is not ActorState.RUNNING:
            child.actor.kill()
        elif child.timer is None:  # of an earlier restart: its time is not prolonged
            child.kill_after_grace(self.clock)

    def stop(self, child: Child, reason: ExitReason = UNLOADED) -> None:
        """Have it end for good; nothing when that is under way."""
        if child.state in {ActorState.STOPPING, ActorState.STOPPED}:
            return
        serves = child.state is ActorState.RUNNING or (child.state is ActorState.RESTARTING and child.drain)
        child.move(LifecycleEvent.STOP)
        child.cancel_timer()
        self.beside.stop(child)
        if not serves or child.actor is None or child.spec.shutdown == "brutal":
            self._end(child, reason)
            return
        self._tell_to_stop(child)
        if child.drain:
            child.reason = reason
            child.backlog[:0] = [*child.mailbox.close(reason)][::-1]
        else:
            child.close_mailbox(reason)

    def _tell_to_stop(self, child: Child) -> None:
        if child.actor is not None:
            child.actor.tell(Order.STOP)
            child.kill_after_grace(self.clock)

    def kill(self, child: Child, reason: ExitReason = UNLOADED) -> None:
        """Have it end for good, now."""
        if child.state is ActorState.STOPPED:
            return
        child.move(LifecycleEvent.STOP)
        child.cancel_timer()
        self.beside.kill(child)
        self._end(child, reason)

    def _end(self, child: Child, reason: ExitReason) -> None:
        child.close_mailbox(child.reason or reason)
        if child.actor is not None:
            child.actor.kill()
        else:
            self._gone(child, reason)

    def _gone(self, child: Child, reason: ExitReason, error: BaseException | None = None) -> None:
        """Nothing of it is left but what others still hold."""
        again = partial(self._gone, child, reason, error)
        outlived = self.beside.outlives(child, again)
        child.close_mailbox(reason)
        if outlived or child.clearing.outlives(partial(self.post, again)):
            return
        was_known = self.registry.find(child.handle) is child
        child.move(LifecycleEvent.START_FAILED if child.state is ActorState.STARTING else LifecycleEvent.STOPPED)
        self.registry.remove(child)
        self.all.pop(child, None)
        self.tops.pop(child, None)
        if was_known:
            child.tell(EventKind.STOPPED, reason)
        child.starting.settle(error or ActorStopped(child.id, reason))
        child.ending.settle()
        if child.leaf is not None:
            child.leaf.has_gone()

    def abandon(self) -> None:
        """The supervisor itself is being torn down: let nobody wait for what will not come."""
        for child in tuple(self.all):
            child.abandon(ABANDONED)
            self.beside.abandon(child)
            for actor in child.living:
                actor.kill()
            self.registry.remove(child)
        for top in tuple(self.tops):
            if not isinstance(top, Child):
                top.abandon(ABANDONED)
        self.all.clear()
        self.tops.clear()

    def announce(self, child: Child, reason: ExitReason, attempt: int, delay: float) -> None:
        """Tell observers that it is going to be started again."""
        if child.state in {ActorState.RESTARTING, ActorState.FAILED}:
            child.tell(EventKind.RESTARTING, reason, attempt, delay)
