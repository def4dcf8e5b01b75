"""Components that end together: who is ended, when, how often, and what their supervisors make of it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from airssys_wasm.actor.child import Child
from airssys_wasm.actor.restarts import RestartPolicy
from airssys_wasm.core.config import Restart
from airssys_wasm.core.errors import ActorStopped, TargetNotFound, Trap
from airssys_wasm.core.exits import ExitKind
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.observations import ActorState, DeadLetterReason, EventKind
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import Script, ScriptedGuest
from tests.actor.bench import Bench, component
from tests.actor.trees import Broken, group, grown, leaf

AT_ONCE = RestartPolicy(backoff_initial=0.0)
PATIENT = Limits(max_execution_time=1e6)


def link(bench: Bench, *pairs: str) -> None:
    """Link each of these pairs of letters."""
    for pair in pairs:
        bench.supervisor.links.join(component(pair[0]), component(pair[1]))


def told(bench: Bench, kind: EventKind) -> str:
    """To whom this happened, in order."""
    return "".join(event.component.name for event in bench.observer.events if event.kind is kind)


async def _trap(bench: Bench, child: Child) -> None:
    await bench.crash(child)


async def _time_out(bench: Bench, child: Child) -> None:
    asking = bench.asking(child, b"hang")
    await bench.clock.advance(31)
    await asyncio.wait([asking])


async def _unload(bench: Bench, child: Child) -> None:
    await bench.supervisor.stop_child(child)


async def _restart(bench: Bench, child: Child) -> None:
    await bench.supervisor.restart(child)


async def _interrupt(bench: Bench, child: Child) -> None:
    asking = bench.asking(child, b"hang", timeout=1.0, interrupt=True)
    await bench.clock.advance(2)
    await asyncio.wait([asking])


@pytest.mark.parametrize(
    ("end", "is_ended"),
    [(_trap, True), (_time_out, True), (_unload, False), (_restart, False), (_interrupt, False)],
)
@pytest.mark.parametrize("who", "ab")
async def test_a_bad_end_ends_the_other_one_and_no_other_end_does(
    bench: Bench, end: Callable[[Bench, Child], Awaitable[None]], is_ended: bool, who: str
) -> None:
    """In both directions; the reason names the one that ended, and why."""
    children = {name: await bench.start(name) for name in "ab"}
    link(bench, "ab")
    await end(bench, children[who])
    await bench.clock.advance(1)
    other = "ba"["ab".index(who)]
    assert (other if is_ended else "") == told(bench, EventKind.LINKED)
    assert [int(is_ended), 0] == [children[other].restarts, children[other].crashes]
    for event in bench.observer.events:
        if event.kind is EventKind.LINKED:
            assert event.reason is not None
            assert ExitKind.LINKED is event.reason.kind
            assert f"to demo/{who}/0, which has ended: crashed: " in event.reason.detail
            assert isinstance(event.reason.cause, Trap)


async def test_the_message_in_progress_ends_and_the_mailbox_is_kept(bench: Bench) -> None:
    """At once, whatever the grace period; the guest hears no goodbye, as after a crash."""
    a, b = await bench.start("a"), await bench.start("b", shutdown="infinite", limits=PATIENT)
    link(bench, "ab")
    lost, kept = bench.asking(b, b"hang"), bench.asking(b, b"count")
    await bench.host.until_paused()
    await bench.crash(a)
    with pytest.raises(ActorStopped, match="linked: to demo/a/0"):
        await lost
    await bench.clock.advance(1)
    assert b"1" == await kept
    assert [(b"trap", DeadLetterReason.CRASHED), (b"hang", DeadLetterReason.CRASHED)] == sorted(
        bench.letters(), reverse=True
    )
    assert [] == bench.host.calls("shutdown")


@pytest.mark.parametrize(
    ("restart", "states"),
    [
        (Restart.PERMANENT, [ActorState.RESTARTING, ActorState.RUNNING]),
        (Restart.TRANSIENT, [ActorState.RESTARTING, ActorState.RUNNING]),
        (Restart.TEMPORARY, [ActorState.STOPPED, ActorState.STOPPED]),
    ],
)
async def test_its_own_supervisor_decides(bench: Bench, restart: Restart, states: list[ActorState]) -> None:
    """As after a crash of its own: counted, with a back-off, or gone."""
    a, b = await bench.start("a"), await bench.start("b", policy=RestartPolicy(restart=restart))
    link(bench, "ab")
    await bench.crash(a)
    seen = [b.state]
    await bench.clock.advance(1)
    assert states == [*seen, b.state]
    if restart is not Restart.TEMPORARY:
        assert [0.1, 0.1] == [event.delay for event in bench.observer.events if event.kind is EventKind.RESTARTING]


async def test_linked_ends_use_up_the_intensity(bench: Bench) -> None:
    """Three restarts, and the next one is one too many, for the one that never crashed itself as well."""
    a, b = await bench.start("a"), await bench.start("b")
    link(bench, "ab")
    for _ in range(4):
        await bench.crash(a)
        await bench.clock.advance(1)
    assert ("a" * 4, "b" * 4) == (told(bench, EventKind.CRASHED), told(bench, EventKind.LINKED))
    assert (ActorState.FAILED, ActorState.FAILED) == (a.state, b.state)


async def test_a_failure_that_no_crash_announced_ends_the_other_one(bench: Bench) -> None:
    """Its restarts failed one after the other; when it gives up, who lives on that it was there does not."""
    broken = Broken()
    a, b = await bench.supervisor.start_child(leaf("a", broken=broken)), await bench.start("b")
    link(bench, "ab")
    broken.names = {"a"}
    await bench.crash(a)
    await bench.clock.advance(0.15)
    assert (ActorState.RUNNING, 1) == (b.state, b.restarts)
    await bench.clock.advance(10)
    assert (ActorState.FAILED, ActorState.RUNNING, 2) == (a.state, b.state, b.restarts)


async def test_links_reach_as_far_as_they_go_and_circles_end(bench: Bench) -> None:
    """Also where nobody waits before a restart: each is ended once."""
    children = [await bench.start(name, policy=AT_ONCE) for name in "abcdefgh"]
    link(bench, "ab", "bc", "cd", "da", "ae", "ef", "gh", "aa")
    await bench.crash(children[2])
    assert ("c", "abdef") == (told(bench, EventKind.CRASHED), "".join(sorted(told(bench, EventKind.LINKED))))
    assert [1, 1, 1, 1, 1, 1, 0, 0] == [child.restarts for child in children]
    assert {ActorState.RUNNING} == {child.state for child in children}


async def test_what_a_link_has_ended_passes_nothing_on(bench: Bench) -> None:
    """The one that crashed runs again when the other one is closed at last; it is not ended for that."""

    async def on_close(guest: ScriptedGuest) -> bytes | None:
        return await guest.pause(1)

    a = await bench.start("a", policy=AT_ONCE)
    b = await bench.start("b", Script(on_close=on_close), policy=AT_ONCE)
    link(bench, "ab")
    await bench.crash(a)
    assert (ActorState.RUNNING, 1, 0) == (a.state, a.restarts, b.restarts)
    await bench.clock.advance(2)
    assert (1, 1) == (a.restarts, b.restarts)
    stopping = asyncio.create_task(bench.supervisor.stop_child(b))
    await bench.clock.advance(2)
    await stopping


async def test_what_does_not_run_passes_nothing_on(bench: Bench) -> None:
    """One that waits for its restart has no instance that could end."""
    a, b, c = [await bench.start(name) for name in "abc"]
    link(bench, "ab", "bc")
    await bench.crash(b)
    await bench.clock.advance(0.05)
    bench.observer.events.clear()
    await bench.supervisor.restart(a)
    await bench.supervisor.restart(c)
    await bench.crash(a)
    assert ("a", "") == (told(bench, EventKind.CRASHED), told(bench, EventKind.LINKED))


async def test_a_link_outlasts_restarts_and_ends_with_an_unload(bench: Bench) -> None:
    """A component that is loaded under the same id later is another one."""
    a, b = await bench.start("a"), await bench.start("b")
    link(bench, "ab")
    await bench.supervisor.restart(a)
    await bench.crash(a)
    await bench.clock.advance(1)
    assert "b" == told(bench, EventKind.LINKED)
    await bench.supervisor.stop_child(a)
    await bench.crash(await bench.start("a"))
    assert (1, {}) == (b.restarts, bench.supervisor.links._partners)


async def test_unlinked_is_not_linked(bench: Bench) -> None:
    """From either side, and silently when there is no link; one of two links is one."""
    a, _, _ = [await bench.start(name) for name in "abc"]
    link(bench, "ab", "ba", "ac")
    bench.supervisor.links.part(component("b"), component("a"))
    bench.supervisor.links.part(component("b"), component("zz"))
    await bench.crash(a)
    assert "c" == told(bench, EventKind.LINKED)


async def test_who_cannot_be_linked(bench: Bench) -> None:
    """An id that nobody has; one that has failed, or is being stopped. Nothing is linked then."""
    a, b = await bench.start("a"), await bench.start("b", policy=RestartPolicy(intensity=0))
    with pytest.raises(TargetNotFound):
        link(bench, "az")
    await bench.crash(b)
    with pytest.raises(ActorStopped, match="failed"):
        link(bench, "ab")
    hanging = bench.asking(a, b"sleep 1")
    await bench.host.until_paused()
    stopping = asyncio.create_task(bench.supervisor.stop_child(a))
    await settle()
    with pytest.raises(ActorStopped):
        link(bench, "aa")
    await bench.clock.advance(1)
    await asyncio.gather(stopping, hanging)
    assert {} == bench.supervisor.links._partners


async def test_one_that_is_being_stopped_is_left_to_its_stop(bench: Bench) -> None:
    """Its grace period holds: the message in progress is answered."""
    a, b = await bench.start("a"), await bench.start("b")
    link(bench, "ab")
    answering = bench.asking(b, b"sleep 1")
    await bench.host.until_paused()
    stopping = asyncio.create_task(bench.supervisor.stop_child(b))
    await settle()
    await bench.crash(a)
    await bench.clock.advance(1)
    await stopping
    assert b"sleep 1" == await answering


@pytest.mark.parametrize(
    ("strategy", "expected", "attempts"),
    [
        ("one_for_one", "-a -b +a +b", [1, 2]),
        ("rest_for_one", "-a -b -c +a +b +c", [1, 1, 1]),
        ("one_for_all", "-a -b -c +a +b +c", [1, 1, 1]),
    ],
)
async def test_in_a_tree_the_strategy_says_what_follows(
    bench: Bench, strategy: str, expected: str, attempts: list[int]
) -> None:
    """Two ends of one group count twice, unless the first one has the other restarted anyway."""
    tree = await grown(bench, group("app", strategy, "a", "b", "c"))
    link(bench, "ab")
    tree.log()
    done = await tree.crash("a")
    assert sorted(expected.split()) == sorted(done.split())
    assert attempts == [event.attempt for event in bench.observer.events if event.kind is EventKind.RESTARTING]
    assert "a b c" == " ".join(sorted(tree.up().split()))


async def test_a_stop_because_of_a_sibling_is_a_bad_end(bench: Bench) -> None:
    """What is linked to the sibling goes too: the instance that it knew is lost."""
    tree = await grown(bench, group("app", "one_for_all", "a", "b"))
    outside = await bench.start("x")
    link(bench, "bx")
    await tree.crash("a")
    assert ("a", "b", "x") == tuple(
        told(bench, kind) for kind in (EventKind.CRASHED, EventKind.INTERRUPTED, EventKind.LINKED)
    )
    assert "demo/b/0, which has ended: interrupted: demo/a/0 has ended and app is one_for_all" in str(
        next(event.reason for event in bench.observer.events if event.kind is EventKind.LINKED)
    )
    assert (1, ActorState.RUNNING) == (outside.restarts, outside.state)


async def test_a_link_ends_a_guest_in_its_goodbye(bench: Bench) -> None:
    """A restart on request that hangs in `shutdown` does not hold it up."""

    async def on_shutdown(guest: ScriptedGuest) -> bytes | None:
        return await guest.pause()

    a, b = await bench.start("a"), await bench.start("b", Script(on_shutdown=on_shutdown), policy=AT_ONCE)
    link(bench, "ab")
    restarting = asyncio.create_task(bench.supervisor.restart(b))
    await bench.host.until_paused()
    await bench.crash(a)
    await restarting
    assert ("b", 1) == (told(bench, EventKind.LINKED), b.restarts)
    bench.supervisor.links.part(component("a"), component("b"))
    stopping = asyncio.create_task(bench.supervisor.stop_child(b))
    await bench.clock.advance(6)
    await stopping
