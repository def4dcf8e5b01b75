"""What ends, restarts or fails while it falls asleep, sleeps, or is revived."""

import asyncio

import pytest

from airssys_wasm.actor.child import Child
from airssys_wasm.actor.restarts import RestartPolicy
from airssys_wasm.core.config import Restart
from airssys_wasm.core.errors import ActorStopped, InstantiationFailed, RequestTimeout
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.observations import ActorState, DeadLetterReason, EventKind
from airssys_wasm.testing.clock import settle
from tests.actor.bench import Bench, opened
from tests.actor.sleepers import AFTER, Sleepy, asleep, calls, falling_asleep, pause, trap


async def test_unloading_one_that_sleeps_is_done_at_once(bench: Bench) -> None:
    """There is nothing to shut down a second time."""
    child = await asleep(bench)
    await bench.supervisor.stop_child(child)
    assert 1 == calls(bench).count("shutdown")
    assert EventKind.STOPPED is bench.observer.kinds()[-1]
    with pytest.raises(ActorStopped):
        await bench.ask(child, b"x")


async def test_unloading_one_that_falls_asleep_waits_for_its_shutdown(bench: Bench) -> None:
    """It is called once; what came meanwhile ends as stopped."""
    sleepy = Sleepy()
    child = await falling_asleep(bench, sleepy)
    asking = bench.asking(child, b"x")
    stopping = asyncio.create_task(bench.supervisor.stop_child(child))
    await settle()
    assert not stopping.done()
    bench.guest().resume()
    await stopping
    with pytest.raises(ActorStopped):
        await asking
    assert ["shutdown", "close"] == calls(bench)[2:]
    assert [(b"x", DeadLetterReason.ACTOR_STOPPED)] == bench.letters()
    assert EventKind.PASSIVATED not in bench.observer.kinds()


async def test_unloading_one_that_is_being_revived_ends_that(bench: Bench) -> None:
    """The instance that was not ready is closed without `shutdown`; what waited ends as stopped."""
    sleepy = Sleepy()
    child = await asleep(bench, sleepy)
    sleepy.on_initialize = pause
    asking = bench.asking(child, b"x")
    await settle()
    assert ActorState.RESTARTING is child.state
    await bench.supervisor.stop_child(child)
    with pytest.raises(ActorStopped):
        await asking
    assert ["start", "initialize", "close"] == calls(bench)[4:]
    assert [(b"x", DeadLetterReason.ACTOR_STOPPED)] == bench.letters()


async def test_unloading_between_the_message_and_the_revival_loses_nothing_in_silence(bench: Bench) -> None:
    """The step of the supervisor that would revive it finds it gone."""
    child = await asleep(bench)
    bench.supervisor._post(lambda: bench.supervisor._children.stop(child))
    asking = bench.asking(child, b"x")
    with pytest.raises(ActorStopped):
        await asking
    assert [(b"x", DeadLetterReason.ACTOR_STOPPED)] == bench.letters()
    assert 1 == calls(bench).count("start")


async def test_a_restart_revives_one_that_sleeps(bench: Bench) -> None:
    """`restart` returns when the new instance has initialized."""
    child = await asleep(bench)
    await bench.supervisor.restart(child)
    assert (ActorState.RUNNING, 1, 0) == (child.state, child.revivals, child.restarts)


async def test_a_restart_of_one_that_falls_asleep_is_a_restart(bench: Bench) -> None:
    """It does not sleep in between."""
    sleepy = Sleepy()
    child = await falling_asleep(bench, sleepy)
    restarting = asyncio.create_task(bench.supervisor.restart(child))
    await settle()
    assert not restarting.done()
    bench.guest().resume()
    await restarting
    assert (ActorState.RUNNING, 0, 0, 1) == (child.state, child.passivations, child.revivals, child.restarts)


async def test_a_restart_of_one_that_is_being_revived_waits_for_that(bench: Bench) -> None:
    """One new instance is enough."""
    sleepy = Sleepy()
    child = await asleep(bench, sleepy)
    sleepy.on_initialize = pause
    asking = bench.asking(child, b"x")
    await settle()
    restarting = asyncio.create_task(bench.supervisor.restart(child))
    await settle()
    bench.guest().resume()
    await restarting
    assert b"x" == await asking
    assert 2 == calls(bench).count("start")


async def test_a_revival_that_fails_is_a_restart_that_fails(bench: Bench) -> None:
    """The plan tries again after its back-off, and the mailbox is kept."""
    sleepy = Sleepy()
    child = await asleep(bench, sleepy)
    sleepy.on_initialize = trap
    asking = [bench.asking(child, b"%d" % number) for number in range(3)]
    await settle()
    assert (ActorState.RESTARTING, 1) == (child.state, len(child.window.times))
    sleepy.on_initialize = sleepy.fine
    await bench.clock.advance(0.2)
    assert [b"0", b"1", b"2"] == [await one for one in asking]
    assert [b"0", b"1", b"2"] == sleepy.heard
    assert [EventKind.CRASHED, EventKind.RESTARTING, EventKind.REVIVED] == bench.observer.kinds()[2:]
    assert (1, 1, 0) == (child.revivals, child.restarts, child.crashes)


async def test_a_revival_that_always_fails_fails_the_component(bench: Bench) -> None:
    """What waits ends as stopped; a restart on request begins anew."""
    sleepy = Sleepy()
    child = await asleep(bench, sleepy)
    sleepy.on_initialize = trap
    asking = bench.asking(child, b"x")
    await bench.clock.advance(5.0)
    with pytest.raises(ActorStopped):
        await asking
    assert (ActorState.FAILED, [(b"x", DeadLetterReason.ACTOR_STOPPED)]) == (child.state, bench.letters())
    sleepy.on_initialize = sleepy.fine
    await bench.supervisor.restart(child)
    assert b"y" == await bench.ask(child, b"y")
    await bench.clock.advance(AFTER)
    assert "asleep" == child.state


@pytest.mark.parametrize("restart", Restart)
async def test_all_restart_types_sleep_and_wake(bench: Bench, restart: Restart) -> None:
    """A temporary one too: it has not ended."""
    child = await asleep(bench, policy=RestartPolicy(restart=restart))
    assert b"x" == await bench.ask(child, b"x")


async def test_a_temporary_one_whose_revival_fails_is_gone(bench: Bench) -> None:
    """As when it crashes."""
    sleepy = Sleepy()
    child = await asleep(bench, sleepy, policy=RestartPolicy(restart=Restart.TEMPORARY))
    sleepy.on_initialize = trap
    with pytest.raises(ActorStopped):
        await bench.ask(child, b"x")
    assert ActorState.STOPPED is child.state


async def test_an_ask_that_gives_up_on_a_sleeper_is_withdrawn(bench: Bench) -> None:
    """It is not run when the component is awake at last."""
    sleepy = Sleepy()
    child = await asleep(bench, sleepy)
    sleepy.on_initialize = pause
    asking = bench.asking(child, b"late", 1.0)
    await bench.clock.advance(1.5)
    with pytest.raises(RequestTimeout, match="withdrawn"):
        await asking
    bench.guest().resume()
    await settle()
    assert ([], [(b"late", DeadLetterReason.EXPIRED)]) == (sleepy.heard, bench.letters())
    await bench.clock.advance(AFTER + 1.0)
    assert "asleep" == child.state


async def test_crashes_before_a_sleep_still_count(bench: Bench) -> None:
    """Sleep is no way round the intensity, and costs nothing of it."""
    child = await bench.start(passivate_after=AFTER)
    for _ in range(3):
        await bench.crash(child)
        await bench.clock.advance(AFTER + 1.0)
        assert "asleep" == child.state
    await bench.crash(child)
    assert ActorState.FAILED is child.state


class FullRoom:
    """Room that others have taken."""

    def __init__(self) -> None:
        self.is_full, self.taken = True, 0

    def take(self, id: ComponentId, limits: Limits) -> None:  # noqa: A002 - the stable name
        """Refuse, or count."""
        if self.is_full:
            raise InstantiationFailed("no memory is left")
        self.taken += 1

    def give_back(self, id: ComponentId) -> None:  # noqa: A002 - the stable name
        """Count."""
        self.taken -= 1


async def test_one_that_has_no_room_is_refused(bench: Bench) -> None:
    """Whoever keeps the bounds says so; that is a start which fails, tried again while it may be."""
    room = FullRoom()
    child = await asleep(bench, room=room)
    assert -1 == room.taken
    asking = bench.asking(child, b"x")
    await settle()
    assert 1 == calls(bench).count("start")
    assert ["Instantiation failed: no memory is left"] == [
        event.reason.detail for event in bench.observer.events if event.kind is EventKind.CRASHED and event.reason
    ]
    assert "restarting" == child.state
    room.is_full = False
    await bench.clock.advance(1.0)
    assert (b"x", 0) == (await asking, room.taken)


async def test_a_restart_of_one_that_has_no_room_says_why(bench: Bench) -> None:
    """Whoever asked for it gets the error itself."""
    child = await asleep(bench, room=FullRoom())
    with pytest.raises(InstantiationFailed, match="no memory is left"):
        await bench.supervisor.restart(child)


async def test_a_supervisor_is_left_with_sleepers_in_all_stages() -> None:
    """Nothing is left, and nobody waits for what will not come."""
    async with opened() as bench:
        sleepers = [await bench.start(f"n{number}", passivate_after=AFTER) for number in range(20)]
        await bench.clock.advance(AFTER)
        reviving = Sleepy()
        late = await bench.start("late", script=reviving.script, passivate_after=AFTER)
        await bench.clock.advance(AFTER)
        reviving.on_initialize = pause
        asking = bench.asking(late, b"x")
        falling = Sleepy()
        falling.on_shutdown = pause
        await bench.start("falling", script=falling.script, passivate_after=AFTER)
        await bench.clock.advance(AFTER)
        leaving = asyncio.create_task(bench.supervisor.aclose())
        await bench.clock.advance(6.0)
        await leaving
        with pytest.raises(ActorStopped):
            await asking
        assert {ActorState.STOPPED} == {child.state for child in sleepers}
        assert 0 == len(bench.supervisor.registry)


async def test_a_supervisor_that_is_killed_forgets_its_sleepers() -> None:
    """Leaving by an exception waits for nobody."""
    children = list[Child]()

    async def leave() -> None:
        async with opened() as bench:
            children.append(await asleep(bench))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await leave()
    assert [ActorState.STOPPED] == [child.state for child in children]
