"""What a branch of a tree is doing with its nodes: it stops some, waits, then starts some, one at a time (pure)."""

from collections import deque
from collections.abc import Callable, Collection, Iterable
from enum import StrEnum
from typing import final

import attrs

from airssys_wasm.actor.tree_node import Node
from airssys_wasm.core.exits import ExitReason
from airssys_wasm.core.ports import Timer


class Phase(StrEnum):
    """Where a branch is in its life."""

    DOWN = "down"
    STARTING = "starting"
    RUNNING = "running"
    ENDING = "ending"


def _queue(nodes: Iterable[Node]) -> deque[Node]:
    return deque(nodes)


def announce(whys: Iterable[tuple[Node, ExitReason]], attempt: int, delay: float) -> None:
    """Tell observers which nodes are going to be started again, and why."""
    for node, why in whys:
        node.announce(why, attempt, delay)


@final
@attrs.define(eq=False)
class Course:
    """What is still to be done: `stop` in this order, then, not before `when`, `start` in this order.

    `stopping` and `starting` are under way; what is in `for_good` is stopped for good.
    """

    reason: ExitReason
    stop: deque[Node] = attrs.field(converter=_queue)
    start: deque[Node] = attrs.field(factory=deque, converter=_queue)
    for_good: Collection[Node] = ()
    when: float = 0.0
    stopping: Node | None = attrs.field(default=None, init=False)
    starting: Node | None = attrs.field(default=None, init=False)
    on_down: Callable[[], None] | None = attrs.field(default=None, init=False)
    """Called once, when all are down."""
    timer: Timer | None = attrs.field(default=None, init=False)

    def all_down(self) -> bool:
        """Have the next one end when the one before is down; whether all are."""
        while self.stopping is None or self._is_down(self.stopping):
            if not self.stop:
                self.stopping = None
                return True
            self.stopping = node = self.stop.popleft()
            if node in self.for_good:
                node.stop(self.reason)
            elif node.up:
                node.hold(self.reason)
        return False

    def is_down(self) -> None:
        """All are down, for the first time or still."""
        on_down, self.on_down = self.on_down, None
        if on_down is not None:
            on_down()

    def all_running(self) -> bool:
        """Have the next one start when the one before runs; whether all do."""
        while self.starting is None or self.starting.running or self.starting.gone:
            if not self.start:
                self.starting = None
                return True
            self.starting = node = self.start.popleft()
            if not node.gone and not node.up:
                node.start()
        return False

    def awaits(self, node: Node) -> bool:
        """Whether the turn of this one is still to come."""
        return node in self.stop or node in self.start

    def leave_to_another(self, nodes: Collection[Node]) -> bool:
        """Have no more to do with these; whether anything is left to do."""
        self.stop = deque(node for node in self.stop if node not in nodes)
        self.start = deque(node for node in self.start if node not in nodes)
        self.stopping = None if self.stopping in nodes else self.stopping
        self.starting = None if self.starting in nodes else self.starting
        return bool(self.stop or self.start or self.stopping or self.starting)

    def cancel_timer(self) -> None:
        """Wait for no moment any more."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _is_down(self, node: Node) -> bool:
        return node.gone if node in self.for_good else not node.up
