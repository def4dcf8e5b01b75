"""Rings of those who wait for one another (pure)."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def ring_of(waiter: Node, target: Node, waits_for: Callable[[Node], Iterable[Node]]) -> tuple[Node, ...]:
    """The ring that is closed when one begins to wait for another; a shortest one of several.

    Args:
        waiter: who begins to wait.
        target: for whom.
        waits_for: whom each one waits for already.

    Returns:
        From the waiter round to itself, `(a, b, a)`; empty when there is none.
    """
    came_from: dict[Node, Node | None] = {target: None}
    found = deque([target])
    while found and waiter not in came_from:
        node = found.popleft()
        for other in waits_for(node):
            if other not in came_from:
                came_from[other] = node
                found.append(other)
    if waiter not in came_from:
        return ()
    back = [waiter]
    while (before := came_from[back[-1]]) is not None:
        back.append(before)
    return (waiter, *reversed(back))
