"""Trees of supervisors on scripted guests and a manual clock: who is started and stopped, in which order."""

import asyncio

import pytest

from airssys_wasm.actor.child import Shutdown
from airssys_wasm.core.errors import ActorStopped, InstantiationFailed, Trap
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.observations import ActorState, EventKind
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import Script, ScriptedGuest
from tests.actor.bench import Bench, component, opened
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


@pytest.mark.parametrize(
    ("shutdown", "wait", "expected"),
    [("brutal", 0.1, "-c -b -a"), (2.0, 1.9, ""), (2.0, 2.1, "-c -b -a"), ("infinite", 99.0, "")],
)
async def test_a_supervisor_bounds_the_stop_of_its_children_together(
    bench: Bench, shutdown: Shutdown, wait: float, expected: str
) -> None:
    """Afterwards the rest is killed; "infinite", as in OTP, leaves each child its own bound."""
    patient = {"shutdown": "infinite", "limits": Limits(max_execution_time=1e6)}
    tree = await grown(bench, group("app", "one_for_one", *(leaf(n, **patient) for n in "abc"), shutdown=shutdown))  # type: ignore[arg-type]
    asking = [bench.asking(tree.child(name), b"hang") for name in "abc"]
    await bench.host.until_paused(3)
    tree.log()
    stopping = asyncio.create_task(bench.supervisor.trees.stop(tree.tree))
    assert expected == await tree.later(wait)
    for guest in bench.host.live:
        guest.resume()
    await asyncio.gather(stopping, *asking, return_exceptions=True)
    assert ([], ActorState.STOPPED) == (bench.host.live, tree.tree.state)


async def test_leaving_stops_trees_and_others_in_reverse_start_order() -> None:
    """A tree counts as one; what runs is stopped, not killed."""
    async with opened() as bench:
        await bench.start("x")
        tree = await grown(bench, group("app", "one_for_all", "a", group("inner", "rest_for_one", "b", "c")))
        await bench.start("y")
        await tree.crash("b")
    assert [component(name) for name in "ycbax"] == bench.host.calls("shutdown")[-5:]


async def test_leaving_during_a_back_off_leaves_nothing() -> None:
    """No timer, no start."""
    async with opened() as bench:
        tree = await grown(bench, group("app", "one_for_all", "a", group("inner", "rest_for_one", "b", "c")))
        await bench.crash(tree.child("c"))
        waiting = bench.asking(tree.child("c"), b"waits")
        await settle()
        assert 1 == len(bench.clock.pending)
    with pytest.raises(ActorStopped):
        await waiting


async def test_a_crash_while_others_stop_is_not_counted_again(bench: Bench) -> None:
    """The first crash has the whole group restarted already; the second one finds it about to be."""
    tree = await grown(bench, group("app", "one_for_all", "a", "b", "c", intensity=1))
    finishing, crashing = bench.asking(tree.child("c"), b"sleep 1"), tree.child("b")
    await bench.host.until_paused()
    tree.log()
    assert "-a" == await tree.crash("a", wait=0.5)
    await bench.crash(crashing)
    assert "-b -c +a +b +c" == await tree.later(1)
    assert (b"sleep 1", ActorState.RUNNING) == (await finishing, tree.tree.state)
    assert [1] * 3 == [event.attempt for event in bench.observer.events if event.kind is EventKind.RESTARTING]


async def test_a_crash_while_the_group_starts_again_begins_anew(bench: Bench) -> None:
    """What is in the middle of its start is stopped, and counts no extra restart."""

    async def on_initialize(guest: ScriptedGuest, _config: object) -> None:
        await guest.pause(1)

    slow = leaf("b", script=Script(on_initialize=on_initialize))
    spec = group("app", "one_for_all", "a", slow, "c", intensity=2)
    starting = asyncio.create_task(grown(bench, spec))
    await bench.clock.advance(1)
    tree = await starting
    tree.log()
    assert "-a -c -b +a +b" == await tree.crash("a", wait=0.5)
    assert "-a -b +a +b" == await tree.crash("a", wait=0.3)
    assert "+c" == await tree.later(1)
    assert [1, 1, 1, 2, 2, 2] == [e.attempt for e in bench.observer.events if e.kind is EventKind.RESTARTING]


async def test_a_crash_during_the_first_start_is_followed_when_all_have_started(bench: Bench) -> None:
    """As in OTP, where the supervisor hears of it after its `init`."""

    async def on_initialize(guest: ScriptedGuest, _config: object) -> None:
        await guest.pause(1)

    slow = leaf("b", script=Script(on_initialize=on_initialize))
    starting = asyncio.create_task(grown(bench, group("app", "one_for_all", "a", slow)))
    await bench.clock.advance(0.5)
    first = bench.supervisor.registry.get(component("a"))
    assert first is not None
    await bench.crash(first)
    assert ActorState.RESTARTING is first.state
    await bench.clock.advance(0.5)
    tree = await starting
    assert "+a +b -a -b +a +b" == await tree.later(2)


async def test_what_a_tree_tells_is_in_the_order_in_which_it_happens(bench: Bench) -> None:
    """A sibling that is stopped for another one is interrupted, not crashed, with the reason why."""
    tree = await grown(bench, group("app", "one_for_all", "a", "b"))
    bench.observer.events.clear()
    await tree.crash("b")
    told = [f"{event.component.name} {event.kind}" for event in bench.observer.events]
    assert ["b crashed", "a interrupted", "a restarting", "b restarting", "a started", "b started"] == told
    assert "demo/b/0 has ended and app is one_for_all" in str(bench.observer.events[1].reason)
    assert (1, 0) == (tree.child("b").statistics().crashes, tree.child("a").statistics().crashes)


async def test_temporary_and_transient_supervisors_end_alone(bench: Bench) -> None:
    """One that is temporary is gone with its components, one that is transient has failed and can be revived."""
    brief = group("brief", "one_for_one", "a", intensity=0, restart="temporary")
    rest = group("rest", "one_for_one", "b", intensity=0, restart="transient")
    tree = await grown(bench, group("app", "one_for_one", brief, rest, "c", intensity=0))
    await bench.crash(tree.child("a"))
    await bench.crash(tree.child("b"))
    assert None is bench.supervisor.registry.get(component("a"))
    assert (ActorState.FAILED, ActorState.RUNNING) == (tree.child("b").state, tree.tree.state)
    await bench.supervisor.restart(tree.child("b"))
    assert b"1" == await bench.ask(tree.child("b"), b"count")


async def test_a_supervisor_that_was_restarted_begins_with_an_empty_window(bench: Bench) -> None:
    """What its children did before counts for nothing; the supervisor above has counted one restart."""
    tree = await grown(bench, group("app", "one_for_one", group("inner", "one_for_all", "a", "b", intensity=1)))
    tree.log()
    for _ in range(3):
        await tree.crash("a", wait=0.2)
    assert [0.1] * 6 == [event.delay for event in bench.observer.events if event.kind is EventKind.RESTARTING]
    assert 1 == bench.observer.kinds().count(EventKind.GAVE_UP)
    assert ActorState.RUNNING is tree.tree.state
