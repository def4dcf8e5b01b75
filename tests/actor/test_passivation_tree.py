"""Members of a group that sleep, while the group restarts, fails, ends."""

import asyncio

import pytest

from airssys_wasm.core.errors import ActorStopped
from airssys_wasm.core.health import HealthCheck
from airssys_wasm.core.observations import ActorState, EventKind
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import Script, ScriptedGuest
from tests.actor.bench import Bench
from tests.actor.sleepers import AFTER, Sleepy, pause, trap
from tests.actor.trees import Broken, Grown, group, grown, leaf


async def family(bench: Bench, strategy: str, broken: Broken | None = None, **spec: object) -> Grown:
    """a, b and c; b sleeps."""
    children = [leaf("a"), leaf("b", broken=broken, passivate_after=AFTER), leaf("c")]
    tree = await grown(bench, group("app", strategy, *children, **spec))
    await bench.clock.advance(AFTER)
    assert ActorState.ASLEEP is tree.child("b").state
    assert "+a +b +c -b" == tree.log()
    return tree


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_falling_asleep_is_no_end(bench: Bench, strategy: str) -> None:
    """It concerns no sibling, and counts for nothing."""
    tree = await family(bench, strategy)
    assert ("a c", "running", ()) == (tree.up(), tree.tree.state, tree.tree.branch._window.times)


@pytest.mark.parametrize(
    ("strategy", "crashes", "done"),
    [
        ("one_for_one", "a", "-a +a"),
        ("one_for_all", "a", "-a -c +a +c"),
        ("one_for_all", "c", "-c -a +a +c"),
        ("rest_for_one", "a", "-a -c +a +c"),
        ("rest_for_one", "c", "-c +c"),
    ],
)
async def test_it_sleeps_through_the_restart_of_its_siblings(
    bench: Bench, strategy: str, crashes: str, done: str
) -> None:
    """There is nothing to stop, and its next instance will be as new as theirs."""
    tree = await family(bench, strategy)
    assert done == await tree.crash(crashes)
    assert "asleep" == tree.child("b").state
    assert b"x" == await bench.ask(tree.child("b"), b"x")
    assert "+b" == tree.log()


async def test_a_message_during_the_restart_of_its_group_wakes_it_in_its_turn(bench: Bench) -> None:
    """Not before those that it may build on."""
    tree = await family(bench, "one_for_all", backoff_initial=5.0)
    await bench.crash(tree.child("c"))
    asking = bench.asking(tree.child("b"), b"x")
    assert "-c -a" == await tree.later(4.0)
    assert ("asleep", 1) == (tree.child("b").state, tree.child("b").statistics().mailbox.waiting)
    assert "+a +b +c" == await tree.later(2.0)
    assert b"x" == await asking


async def test_a_restart_on_request_during_the_restart_of_its_group_ends_the_wait_for_all(bench: Bench) -> None:
    """As for a member that is awake: no more back-off, each in its turn."""
    tree = await family(bench, "one_for_all", backoff_initial=5.0)
    await bench.crash(tree.child("c"))
    restarting = asyncio.create_task(bench.supervisor.restart(tree.child("b")))
    assert "-c -a +a +b +c" == await tree.later(0.0)
    await restarting


async def test_one_that_falls_asleep_as_its_group_stops_is_started_in_its_turn(bench: Bench) -> None:
    """It was told to end for its group before it slept."""
    sleepy = Sleepy()
    children = [leaf("a"), leaf("b", script=sleepy.script, passivate_after=AFTER), leaf("c")]
    tree = await grown(bench, group("app", "one_for_all", *children))
    sleepy.on_shutdown = pause
    await bench.clock.advance(AFTER)
    sleepy.on_shutdown = sleepy.fine
    await bench.crash(tree.child("c"))
    assert "+a +b +c -c" == tree.log()
    bench.guest(1).resume()
    assert "-b -a +a +b +c" == await tree.later(1.0)
    assert 0 == tree.child("b").passivations


async def test_a_revival_that_fails_is_the_crash_of_a_member(bench: Bench) -> None:
    """The strategy says whom that concerns; what waits is handled afterwards."""
    broken = Broken()
    tree = await family(bench, "one_for_all", broken)
    broken.names.add("b")
    asking = bench.asking(tree.child("b"), b"x")
    await settle()
    broken.names.clear()
    assert "+b -b -c -a +a +b +c" == await tree.later(1.0)
    assert b"x" == await asking
    assert 1 == len(tree.tree.branch._window.times)


async def test_when_a_group_gives_up_its_sleepers_have_failed_too(bench: Bench) -> None:
    """Nobody can wake them; a restart of the tree does, and forgets the sleep."""
    tree = await family(bench, "one_for_one", intensity=0)
    asking = bench.asking(tree.child("b"), b"before")
    await settle()
    assert b"before" == await asking
    await bench.clock.advance(AFTER)
    await tree.crash("a")
    assert ("failed", "failed") == (tree.tree.state, tree.child("b").state)
    with pytest.raises(ActorStopped):
        await bench.ask(tree.child("b"), b"x")
    tree.log()
    await bench.supervisor.trees.restart(tree.tree)
    assert "+a +b +c" == tree.log()


async def test_a_message_that_comes_while_its_group_gives_up_is_not_lost_in_silence(bench: Bench) -> None:
    """It wakes nobody, and ends as stopped when the group has failed."""
    sleepy = Sleepy()
    children = [leaf("a"), leaf("b", passivate_after=AFTER), leaf("c", script=sleepy.script)]
    tree = await grown(bench, group("app", "one_for_one", *children, intensity=0))
    sleepy.on_shutdown = pause
    await bench.clock.advance(AFTER)
    await bench.crash(tree.child("a"))
    asking = bench.asking(tree.child("b"), b"x")
    await settle()
    assert ("asleep", 1) == (tree.child("b").state, tree.child("b").statistics().mailbox.waiting)
    await tree.later(6.0)
    with pytest.raises(ActorStopped):
        await asking
    assert ["x"] == [payload.decode() for payload, reason in bench.letters() if reason == "actor-stopped"]


async def test_a_temporary_sleeper_is_gone_when_its_group_restarts(bench: Bench) -> None:
    """As a temporary member that is awake."""
    children = [leaf("a"), leaf("b", "temporary", passivate_after=AFTER), leaf("c")]
    tree = await grown(bench, group("app", "one_for_all", *children))
    await bench.clock.advance(AFTER)
    b = tree.child("b")
    tree.log()
    assert "-c -a +a +c" == await tree.crash("c")
    assert b.gone


async def test_a_tree_with_sleepers_stops_in_order(bench: Bench) -> None:
    """Those that sleep have been shut down already."""
    tree = await family(bench, "one_for_one")
    await bench.supervisor.trees.stop(tree.tree)
    assert "-c -a" == tree.log()
    assert 3 == bench.observer.kinds().count(EventKind.STOPPED)


async def test_a_branch_of_sleepers_is_restarted_with_its_siblings(bench: Bench) -> None:
    """A whole supervisor whose components all sleep counts as running."""
    inner = group("inner", "one_for_one", leaf("b", passivate_after=AFTER), leaf("c", passivate_after=AFTER))
    tree = await grown(bench, group("app", "one_for_all", leaf("a"), inner, leaf("d")))
    await bench.clock.advance(AFTER)
    tree.log()
    assert "-a -d +a +d" == await tree.crash("a")
    assert b"x" == await bench.ask(tree.child("c"), b"x")
    assert ("a d c", "running") == (tree.up(), tree.tree.state)


async def test_a_revival_that_fails_again_and_again_takes_its_group_down(bench: Bench) -> None:
    """The intensity is that of the group."""
    sleepy = Sleepy()
    children = [leaf("a"), leaf("b", script=sleepy.script, passivate_after=AFTER)]
    tree = await grown(bench, group("app", "one_for_one", *children))
    await bench.clock.advance(AFTER)
    sleepy.on_initialize = trap
    asking = bench.asking(tree.child("b"), b"x")
    await bench.clock.advance(30.0)
    with pytest.raises(ActorStopped):
        await asking
    assert ("failed", "failed") == (tree.tree.state, tree.child("b").state)


async def test_an_unhealthy_member_is_a_crash_of_its_group(bench: Bench) -> None:
    """The strategy says whom that concerns."""

    async def ill(_guest: ScriptedGuest) -> bytes:
        return b"unhealthy"

    check = HealthCheck(interval=1.0, timeout=1.0, failures=2)
    children = [leaf("a"), leaf("b", script=Script(on_health=ill), health=check)]
    tree = await grown(bench, group("app", "one_for_all", *children))
    assert "+a +b -b -a +a +b" == await tree.later(2.5)
