"""Rings of those who wait for one another, against every path there is."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.actor.rings import ring_of

NODES = st.integers(0, 5)
Edges = dict[int, set[int]]


def _paths(edges: Edges, path: tuple[int, ...], goal: int) -> Iterator[tuple[int, ...]]:
    """Every way on to the goal that meets nobody twice."""
    if path[-1] == goal:
        yield path
        return
    for node in edges.get(path[-1], set()):
        if node not in path:
            yield from _paths(edges, (*path, node), goal)


@given(st.dictionaries(NODES, st.sets(NODES)), NODES, NODES)
def test_a_ring_is_found_exactly_when_there_is_one(edges: Edges, waiter: int, target: int) -> None:
    """Of several a shortest one, from the waiter round to itself."""
    rings = {(waiter, *path) for path in _paths(edges, (target,), waiter)}
    found = ring_of(waiter, target, lambda node: edges.get(node, ()))
    if rings:
        assert found in rings
        assert min(map(len, rings)) == len(found)
    else:
        assert () == found


def test_who_waits_for_itself_is_a_ring() -> None:
    """The smallest one."""
    assert ("a", "a") == ring_of("a", "a", lambda _: ())
