"""Trees of supervisors on scripted guests and a manual clock: who is started and stopped, in which order."""

import asyncio

import pytest

from airssys_wasm.core.errors import ActorStopped, InstantiationFailed, Trap
from airssys_wasm.core.observations import ActorState
from airssys_wasm.testing.guests import Script, ScriptedGuest
from tests.actor.bench import Bench, component
from tests.actor.trees import Broken, group, grown, leaf


async def test_children_start_in_order_and_stop_in_reverse(bench: Bench) -> None:
    """Through all levels, as if the tree were one list."""
    spec = group("app", "one_for_one", "a", group("inner", "one_for_all", "b", "c"), "d")
    tree = await grown(bench, spec)
    assert "+a +b +c +d" == tree.log()
    await bench.supervisor.trees.stop(tree.tree)
    assert "-d -c -b -a" == tree.log()
    assert (ActorState.STOPPED, 0) == (tree.tree.state, len(bench.supervisor.registry))


@pytest.mark.parametrize(
    ("strategy", "who", "expected"),
    [
        ("one_for_one", "b", "-b +b"),
        ("one_for_all", "a", "-a -c -b +a +b +c"),
        ("one_for_all", "b", "-b -c -a +a +b +c"),
        ("rest_for_one", "a", "-a -c -b +a +b +c"),
        ("rest_for_one", "b", "-b -c +b +c"),
        ("rest_for_one", "c", "-c +c"),
    ],
)
async def test_a_crash_is_followed_by_what_the_strategy_says(
    bench: Bench, strategy: str, who: str, expected: str
) -> None:
    """Stops in reverse order, one after the other, then starts in order."""
    tree = await grown(bench, group("app", strategy, "a", "b", "c"))
    tree.log()
    assert expected == await tree.crash(who)
    assert "a b c" == " ".join(sorted(tree.up().split()))


async def test_siblings_finish_their_message_and_keep_their_mailboxes(bench: Bench) -> None:
    """As for a restart: the message in progress is handled by this instance, what waits by the next."""
    tree = await grown(bench, group("app", "one_for_all", "a", "b"))
    finishing, kept = bench.asking(tree.child("a"), b"sleep 1"), bench.asking(tree.child("a"), b"count")
    await bench.host.until_paused()
    await tree.crash("b", wait=0.5)
    assert not finishing.done()
    await bench.clock.advance(1)
    assert (b"sleep 1", b"1") == (await finishing, await kept)
    assert ["shutdown"] == [what for what, _ in bench.host.log if what == "shutdown"]


async def test_a_sibling_that_does_not_stop_is_killed_after_its_own_grace_period(bench: Bench) -> None:
    """The others wait for it; its message ends as ActorStopped, and it starts again with them."""
    spec = group("app", "one_for_all", leaf("a"), leaf("b", shutdown=2.0), leaf("c", shutdown="brutal"))
    tree = await grown(bench, spec)
    stuck, cut = [bench.asking(tree.child(name), b"hang") for name in "bc"]
    await bench.host.until_paused(2)
    tree.log()
    assert "-a -c" == await tree.crash("a", wait=1.9)
    assert "-b +a +b +c" == await tree.later(0.2)
    for asking in (stuck, cut):
        with pytest.raises(ActorStopped, match="killed to restart"):
            await asking


async def test_a_first_start_that_fails_stops_what_has_started_and_leaves_nothing(bench: Bench) -> None:
    """In reverse; whoever started the tree gets the guest's own words."""
    broken = Broken({"d"})
    inner = group("inner", "one_for_one", "c", leaf("d", broken=broken), "e")
    with pytest.raises(InstantiationFailed, match=r"demo/d/0: .*no database") as caught:
        await grown(bench, group("app", "one_for_one", "a", "b", inner, "f"))
    assert isinstance(caught.value.__cause__, Trap)
    assert [component(name) for name in "dcba"] == bench.host.calls("close")
    assert ([], 0) == (bench.host.live, len(bench.supervisor.registry))
    broken.names.clear()
    await grown(bench, group("app", "one_for_one", "a", "b", inner, "f"))
    assert 6 == len(bench.host.live)


async def test_a_cancelled_start_leaves_nothing(bench: Bench) -> None:
    """Also in the middle of an `initialize`."""

    async def on_initialize(guest: ScriptedGuest, _config: object) -> None:
        await guest.pause()

    slow = leaf("c", script=Script(on_initialize=on_initialize))
    starting = asyncio.create_task(grown(bench, group("app", "one_for_all", "a", group("inner", "one_for_one", slow))))
    await bench.host.until_paused()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert ([], 0) == (bench.host.live, len(bench.supervisor.registry))


async def test_a_restart_whose_start_fails_is_tried_again_from_there(bench: Bench) -> None:
    """It counts; one_for_all stops what it had started, rest_for_one leaves that alone."""
    for strategy, expected in (
        ("one_for_all", "-a -c -b +a +b -b -a +a +b -b -a"),
        ("rest_for_one", "-a -c -b +a +b -b +b -b"),
        ("one_for_one", "-a +a"),
    ):
        broken = Broken()
        tree = await grown(bench, group(strategy, strategy, "a", leaf("b", broken=broken), "c"))
        tree.log()
        broken.names = {"b"}
        assert expected == await tree.crash("a", wait=0.5)
        broken.names.clear()
        assert tree.tree.state is ActorState.RUNNING
        await bench.clock.advance(10)
        assert "a b c" == " ".join(sorted(tree.up().split()))
        await bench.supervisor.trees.stop(tree.tree)
