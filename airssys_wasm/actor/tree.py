"""A supervisor in a tree: its children in start order, which it starts, restarts as its strategy says, and stops.

| it is | which means | an end of a child that nobody asked for |
|---|---|---|
| down | nothing of it runs; it may be started | cannot be |
| starting | its children start, one after the other | of the one that starts: it has failed; of another: is for later |
| running | | what the strategy says, unless it is about to be restarted anyway |
| ending | its children stop, one after the other | one less to stop |

When it has ended because it gave up, or because a start failed, the branch above hears of it as of the end of a child.
All is done in steps of the supervisor's task; none waits. What happens elsewhere is seen by looking: `look` goes on
with whatever is under way as far as the states of the children allow.
"""

import random
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final, final

import attrs

from airssys_wasm.actor.restarts import RestartWindow
from airssys_wasm.actor.strategies import Escalate, Group, Leave, Member, Plan, Regroup, plan
from airssys_wasm.actor.tree_course import Course, Phase, announce
from airssys_wasm.actor.tree_node import Above, Node
from airssys_wasm.actor.tree_spec import SupervisorSpec
from airssys_wasm.core.config import Restart
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.ports import Clock, Timer

_STARTING: Final = ExitReason(ExitKind.STOPPED, "its supervisor starts")


@final
@attrs.define(eq=False, repr=False)
class Branch:
    """A `Node` that has nodes; `post` puts a step into the supervisor's inbox."""

    spec: SupervisorSpec[Any]
    above: Above
    path: str
    clock: Clock
    post: Callable[[Callable[[], None]], None]
    members: list[Node] = attrs.field(factory=list, init=False)
    phase: Phase = attrs.field(default=Phase.DOWN, init=False)
    failed: bool = attrs.field(default=False, init=False)
    gone: bool = attrs.field(default=False, init=False)
    _window: RestartWindow = attrs.field(factory=RestartWindow, init=False)
    _courses: list[Course] = attrs.field(factory=list, init=False)
    _later: list[tuple[Node, ExitReason]] = attrs.field(factory=list, init=False)
    _for_good: bool = attrs.field(default=False, init=False)
    _report: tuple[ExitReason, BaseException | None] | None = attrs.field(default=None, init=False)
    _limit: Timer | None = attrs.field(default=None, init=False)
    _blamed: ComponentId | None = attrs.field(default=None, init=False)

    @property
    def name(self) -> str:
        """With the names above it."""
        return self.path

    @property
    def restart(self) -> Restart:
        """As its specification says."""
        return self.spec.restart

    @property
    def up(self) -> bool:
        """Whether something of it runs, starts or ends."""
        return self.phase is not Phase.DOWN

    @property
    def running(self) -> bool:
        """Whether all its children have started since it was started."""
        return self.phase is Phase.RUNNING

    @property
    def blamed(self) -> ComponentId | None:
        """The component on which it gave up last."""
        return self._blamed

    def start(self) -> None:
        """Start the children in order; nothing of what was before counts."""
        self.phase, self.failed, self._window = Phase.STARTING, False, RestartWindow()
        self._later.clear()
        self._begin(Course(_STARTING, (), self.members))

    def hold(self, reason: ExitReason) -> None:
        """Stop the children in reverse order, to start them again some time."""
        self._end(reason, for_good=False)

    def stop(self, reason: ExitReason) -> None:
        """Stop the children in reverse order, for good."""
        self._end(reason, for_good=True)

    def kill(self, reason: ExitReason, *, for_good: bool) -> None:
        """End all children now."""
        if self.phase is not Phase.ENDING or for_good > self._for_good:
            self._end(reason, for_good=for_good)
        for node in tuple(reversed(self.members)):
            if node.up or for_good:
                node.kill(reason, for_good=for_good)

    def fail(self, reason: ExitReason) -> None:
        """It stays down, until somebody revives it."""
        self.failed = True
        for node in tuple(self.members):
            node.fail(reason)

    def announce(self, reason: ExitReason, attempt: int, delay: float) -> None:
        """Tell observers of every component below."""
        for node in self.members:
            node.announce(reason, attempt, delay)

    def look(self) -> None:
        """Go on with what is under way, as far as possible."""
        for course in tuple(self._courses):
            if course in self._courses:
                self._go_on(course)

    def forget(self, node: Node) -> None:
        """A child is gone for good."""
        if node in self.members:
            self.members.remove(node)
        self.post(self.look)

    def ended(self, node: Node, reason: ExitReason, error: BaseException | None = None) -> None:
        """A child has ended by itself; the table above says what follows."""
        match self.phase:
            case Phase.STARTING if any(course.starting is node for course in self._courses):
                self._blamed = node.blamed
                failed = ExitReason(ExitKind.CRASHED, f"{node.name} did not start: {reason.detail}", reason.cause)
                self._end(failed, for_good=False, report=(failed, error))
            case Phase.STARTING:
                self._later.append((node, reason))
            case Phase.RUNNING if not any(course.awaits(node) for course in self._courses):
                self._follow(node, reason)
            case _:
                self.look()

    def lets_start(self, node: Node) -> bool:
        """Whether one that sleeps may start outside any turn."""
        is_up = self.phase in {Phase.STARTING, Phase.RUNNING}
        return is_up and not any(course.awaits(node) for course in self._courses)

    def hurry(self, node: Node) -> bool:
        """Wait for no back-off when this one is to be started after it; whether it is."""
        if self.phase is Phase.DOWN:
            return self.above.hurry(self)
        awaiting = [course for course in self._courses if course.awaits(node)]
        for course in awaiting:
            course.when = self.clock.time()
        self.look()
        return bool(awaiting)

    def revive(self) -> bool:
        """Start again what has failed, from the highest branch that has; whether one had."""
        if self.above.revive():
            return True
        if not self.failed:
            return False
        if not self.above.hurry(self):
            self.start()
        return True

    def gave_up(self, path: str, blamed: ComponentId | None, reason: ExitReason) -> None:
        """Pass it on."""
        self.above.gave_up(path, blamed, reason)

    def abandon(self) -> None:
        """The supervisor's task is over: wait for nothing any more."""
        self.phase, self.gone = Phase.DOWN, True
        self._drop_all()
        self._cancel_limit()
        for node in self.members:
            if isinstance(node, Branch):
                node.abandon()

    def restarts(self, node: Node, reason: ExitReason) -> bool:
        """Whether a child would be started again after an end like this."""
        return self.phase is Phase.RUNNING and isinstance(self._plan(node, reason), Regroup)

    def _plan(self, node: Node, reason: ExitReason) -> Plan[Node]:
        members = [Member(member, member.restart, member.up) for member in self.members]
        group = Group(strategy=self.spec.strategy, policy=self.spec.policy, members=members, window=self._window)
        roll = random.random()  # noqa: S311 - spreads restarts, guards nothing
        return plan(group, node, reason, self.clock.time(), roll=roll)

    def _follow(self, node: Node, reason: ExitReason) -> None:
        """Carry out what the plan says."""
        match self._plan(node, reason):
            case Leave(rests=True):
                node.fail(reason)
                self._drop({node})
                self.look()
            case Leave():
                self._drop({node})
                node.stop(reason)
            case Escalate():
                self._give_up(node, reason)
            case Regroup() as regroup:
                self._regroup(node, reason, regroup)

    def _give_up(self, node: Node, reason: ExitReason) -> None:
        self._blamed = node.blamed
        failed = ExitReason(ExitKind.FAILED, f"{self.path} gave up on {node.name}: {reason.detail}", reason.cause)
        self.above.gave_up(self.path, self._blamed, failed)
        self._end(failed, for_good=False, report=(failed, None))

    def _regroup(self, node: Node, reason: ExitReason, regroup: Regroup[Node]) -> None:
        """Have them stopped and started; what was under way goes on for the others alone."""
        others = ExitReason(ExitKind.INTERRUPTED, f"{node.name} has ended and {self.path} is {self.spec.strategy}")
        self._window = regroup.window
        whys = [(member, reason if member is node else others) for member in regroup.start]
        self._drop({*regroup.stop, *regroup.start})
        for_good = set(regroup.stop) - set(regroup.start)
        when = self.clock.time() + regroup.delay
        course = Course(others, regroup.stop, regroup.start, for_good, when)
        course.on_down = partial(announce, whys, regroup.attempt, regroup.delay)
        self._begin(course)

    def _end(
        self, reason: ExitReason, *, for_good: bool, report: tuple[ExitReason, BaseException | None] | None = None
    ) -> None:
        """Stop all, for good or not; the branch above hears `report` afterwards."""
        self.phase, self._for_good, self._report = Phase.ENDING, for_good or self._for_good, report
        self._drop_all()
        nodes = tuple(reversed(self.members))
        self._begin(Course(reason, nodes, for_good=nodes if self._for_good else ()))
        if self.phase is Phase.ENDING and self._limit is None and self.spec.shutdown != "infinite":
            seconds = 0.0 if self.spec.shutdown == "brutal" else float(self.spec.shutdown)
            overdue = partial(self.post, partial(self._overdue, reason))
            self._limit = self.clock.call_at(self.clock.time() + seconds, overdue)

    def _overdue(self, reason: ExitReason) -> None:
        """The children have had their time."""
        if self.phase is Phase.ENDING:
            self.kill(reason, for_good=self._for_good)

    def _drop(self, nodes: Collection[Node]) -> None:
        """Have nothing under way with these."""
        for course in tuple(self._courses):
            if not course.leave_to_another(nodes):
                course.cancel_timer()
                self._courses.remove(course)

    def _drop_all(self) -> None:
        """Have nothing under way."""
        for course in self._courses:
            course.cancel_timer()
        self._courses.clear()

    def _begin(self, course: Course) -> None:
        self._courses.append(course)
        self._go_on(course)

    def _go_on(self, course: Course) -> None:
        if not course.all_down():
            return
        course.is_down()
        course.cancel_timer()
        if self.clock.time() < course.when:
            course.timer = self.clock.call_at(course.when, partial(self.post, self.look))
        elif course.all_running():
            self._courses.remove(course)
            self._done()

    def _done(self) -> None:
        """Nothing is left of what was under way."""
        if self.phase is Phase.STARTING:
            self.phase = Phase.RUNNING
            self.post(self.above.look)
            later, self._later = self._later, []
            for node, reason in later:
                if not node.gone:
                    self.ended(node, reason)
        elif self.phase is Phase.ENDING:
            self._has_ended()

    def _has_ended(self) -> None:
        """All children are down; tell whom it concerns."""
        report, self._report, self.phase = self._report, None, Phase.DOWN
        self._cancel_limit()
        if self._for_good:
            self.gone = True
            self.above.forget(self)
        elif report is not None:
            self.above.ended(self, *report)
        else:
            self.post(self.above.look)

    def _cancel_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
