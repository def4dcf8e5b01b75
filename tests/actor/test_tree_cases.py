"""OTP's documented supervisor behaviour on running trees: strategy x type of child x end x position, one test each.

The group has three children, a, b and c; the one that ends has the type, the others are permanent. What follows is
read from what the guests do: `-a` for one that is closed, `+a` for one that starts.
"""

import contextlib
from collections.abc import Awaitable, Callable
from itertools import product
from typing import Final

import pytest

from airssys_wasm.actor.strategies import Strategy
from airssys_wasm.core.config import Restart
from airssys_wasm.core.errors import AirssysError
from airssys_wasm.core.observations import ActorState
from airssys_wasm.testing.clock import settle
from tests.actor.bench import Bench, component
from tests.actor.trees import Broken, Grown, group, grown, leaf

RESTARTED: Final = {
    ("one_for_one", "a"): "-a +a",
    ("one_for_one", "b"): "-b +b",
    ("one_for_one", "c"): "-c +c",
    ("one_for_all", "a"): "-a -c -b +a +b +c",
    ("one_for_all", "b"): "-b -c -a +a +b +c",
    ("one_for_all", "c"): "-c -b -a +a +b +c",
    ("rest_for_one", "a"): "-a -c -b +a +b +c",
    ("rest_for_one", "b"): "-b -c +b +c",
    ("rest_for_one", "c"): "-c +c",
}
"""What follows when it is to be restarted."""

RESTARTED_AT_THE_SECOND_ATTEMPT: Final = {
    ("one_for_one", "a"): "-a +a -a +a",
    ("one_for_one", "b"): "-b +b -b +b",
    ("one_for_one", "c"): "-c +c -c +c",
    ("one_for_all", "a"): "-a -c -b +a -a +a +b +c",
    ("one_for_all", "b"): "-b -c -a +a +b -b -a +a +b +c",
    ("one_for_all", "c"): "-c -b -a +a +b +c -c -b -a +a +b +c",
    ("rest_for_one", "a"): "-a -c -b +a -a +a +b +c",
    ("rest_for_one", "b"): "-b -c +b -b +b +c",
    ("rest_for_one", "c"): "-c +c -c +c",
}
"""What follows when its first start after that fails: that is an end like a crash."""

FOLLOWS: Final = {
    "crashed": {"permanent": "restarted", "transient": "restarted", "temporary": "gone"},
    "crashed, and its start fails": {"permanent": "second", "transient": "second", "temporary": "gone"},
    "ended by a link": {"permanent": "restarted", "transient": "restarted", "temporary": "gone"},
    "interrupted": {"permanent": "alone", "transient": "alone", "temporary": "alone"},
    "unloaded": {"permanent": "gone", "transient": "gone", "temporary": "gone"},
    "gave up, as a supervisor": {"permanent": "restarted", "transient": "rests", "temporary": "gone"},
}
"""Whether an end has the strategy followed, by type."""


async def _crash(tree: Grown, who: str, _broken: Broken) -> None:
    await tree.bench.crash(tree.child(who))


async def _crash_and_fail(tree: Grown, who: str, broken: Broken) -> None:
    broken.names = {who}
    await tree.bench.crash(tree.child(who))
    await tree.bench.clock.advance(0.15)
    broken.names = set()


async def _link(tree: Grown, who: str, _broken: Broken) -> None:
    outside = await tree.bench.start("outside")
    tree.bench.supervisor.links.join(component(who), component("outside"))
    await tree.bench.crash(outside)


async def _interrupt(tree: Grown, who: str, _broken: Broken) -> None:
    await tree.bench.supervisor.restart(tree.child(who))


async def _unload(tree: Grown, who: str, _broken: Broken) -> None:
    await tree.bench.supervisor.stop_child(tree.child(who))


ENDS: Final[dict[str, Callable[[Grown, str, Broken], Awaitable[None]]]] = {
    "crashed": _crash,
    "crashed, and its start fails": _crash_and_fail,
    "ended by a link": _link,
    "interrupted": _interrupt,
    "unloaded": _unload,
    "gave up, as a supervisor": _crash,
}


def expected(strategy: Strategy, restart: Restart, end: str, who: str) -> tuple[str, str, ActorState | None]:
    """What the guests do, who is up afterwards, and the state of the one that ended, None when it is gone."""
    match FOLLOWS[end][restart]:
        case "restarted":
            return RESTARTED[strategy, who], "a b c", ActorState.RUNNING
        case "second":
            return RESTARTED_AT_THE_SECOND_ATTEMPT[strategy, who], "a b c", ActorState.RUNNING
        case "alone":
            return f"-{who} +{who}", "a b c", ActorState.RUNNING
        case "rests":
            return f"-{who}", " ".join(sorted({*"abc"} - {who})), ActorState.FAILED
        case _:
            return f"-{who}", " ".join(sorted({*"abc"} - {who})), None


@pytest.mark.parametrize("who", "abc")
@pytest.mark.parametrize(("strategy", "restart", "end"), list(product(Strategy, Restart, ENDS)), ids=str)
async def test_what_follows_from_an_end(bench: Bench, strategy: Strategy, restart: Restart, end: str, who: str) -> None:
    """Who is stopped and who is started, in which order; nobody else notices."""
    broken = Broken()
    one = leaf(who, restart, broken)
    ending = group("inner", "one_for_one", who, intensity=0, restart=restart) if "supervisor" in end else one
    tree = await grown(bench, group("app", strategy, *(ending if name == who else name for name in "abc")))
    tree.log()
    await ENDS[end](tree, who, broken)
    await bench.clock.advance(1)
    done = [step for step in tree.log().split() if not step.endswith("outside")]
    child = bench.supervisor.registry.get(component(who))
    up = " ".join(sorted(set(tree.up().split()) - {"outside"}))
    assert expected(strategy, restart, end, who) == (" ".join(done), up, None if child is None else child.state)
    assert tree.tree.state is ActorState.RUNNING


@pytest.mark.parametrize("who", "abc")
@pytest.mark.parametrize(("strategy", "end"), list(product(Strategy, ("crashed", "ended by a link"))), ids=str)
async def test_one_too_many_ends_all_in_reverse_and_goes_up(
    bench: Bench, strategy: Strategy, end: str, who: str
) -> None:
    """Whatever the strategy and the position; the supervisor above starts the whole group anew."""
    inner = group("inner", strategy, "a", "b", "c", intensity=0)
    tree = await grown(bench, group("app", "one_for_one", inner, "d"))
    tree.log()
    await ENDS[end](tree, who, Broken())
    await bench.clock.advance(1)
    done = [step for step in tree.log().split() if not step.endswith("outside")]
    others = [f"-{name}" for name in "cba" if name != who]
    assert [f"-{who}", *others, "+a", "+b", "+c"] == done


async def test_a_supervisor_with_none_above_it_stays_down_until_somebody_asks(bench: Bench) -> None:
    """And then starts all, in order, with nothing counted."""
    tree = await grown(bench, group("app", "one_for_one", "a", "b", "c", intensity=0))
    tree.log()
    await tree.crash("b")
    assert (ActorState.FAILED, "") == (tree.tree.state, tree.up())
    tree.log()
    with contextlib.suppress(AirssysError):
        await bench.supervisor.restart(tree.child("c"))
    await settle()
    assert ("+a +b +c", ActorState.RUNNING) == (tree.log(), tree.tree.state)
