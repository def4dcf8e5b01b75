"""Sleep, upgrades, groups and ends that meet in the same turn of the loop, and what must not be lost between them."""

import asyncio
from typing import Any

import pytest

from airssys_wasm.actor.actor import ComponentActor
from airssys_wasm.actor.aside import Aside
from airssys_wasm.actor.child import Child
from airssys_wasm.actor.orders import Order
from airssys_wasm.actor.upgrade import Upgrade
from airssys_wasm.core.errors import ActorStopped, InstantiationFailed, RequestTimeout
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.limits import MIB, Limits
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.observations import EventKind
from airssys_wasm.core.upgrades import Probation
from airssys_wasm.system.admission import Admission
from airssys_wasm.testing.clock import settle
from tests.actor.bench import HOST, Bench, component
from tests.actor.sleepers import AFTER
from tests.actor.trees import group, grown, leaf
from tests.actor.upgrading import upgrading, version


@pytest.mark.parametrize("first", ["sleep", "upgrade"])
async def test_an_upgrade_looks_again_when_the_old_one_stayed_awake_after_all(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """All in one turn: it is to step aside, and to sleep, and gets a message that undoes the latter."""
    child = await bench.start(script=version("1"), passivate_after=AFTER)
    step_aside, times = ComponentActor.step_aside, 0

    def in_one_turn(actor: ComponentActor) -> Aside:
        nonlocal times
        times += 1
        if times > 1:
            return step_aside(actor)
        if first == "sleep":
            actor.tell(Order.SLEEP)
        aside = step_aside(actor)
        actor.tell(Order.SLEEP)
        bench.supervisor.delivery.tell_nowait(child, ComponentMessage(HOST, b"count"))
        return aside

    monkeypatch.setattr(ComponentActor, "step_aside", in_one_turn)
    upgraded = upgrading(bench, child, version("2"))
    await settle()
    assert (2, True, "running") == (times, upgraded.done(), child.state)
    assert (b"2", 2) == (await bench.ask(child, b"version"), child.handled)


async def test_an_upgrade_does_not_take_over_from_one_that_is_killed(bench: Bench) -> None:
    """In the turn before, both instances wait and only one has to be told to end."""
    child = await bench.start(script=version("1"), shutdown="brutal")
    waiting = bench.asking(child, b"wait")
    upgraded = upgrading(bench, child, version("2"))
    await settle()
    stopping = asyncio.create_task(bench.supervisor.stop_child(child))
    bench.guest(0).resume(b"done")  # it comes aside as the stop is carried out
    with pytest.raises(ActorStopped):
        await upgraded
    await stopping
    assert (b"done", 0, []) == (await waiting, child.upgrades, bench.clock.pending)
    assert [EventKind.STARTED, EventKind.STOPPED] == bench.observer.kinds()


async def test_a_member_that_sleeps_on_through_its_turn_can_be_woken_afterwards(bench: Bench) -> None:
    """A message came during the restart of its group and was given up before its turn: its mailbox is shut again."""
    tree = await grown(bench, group("app", "one_for_all", "a", leaf("b", passivate_after=AFTER), backoff_initial=5.0))
    await bench.clock.advance(AFTER)
    sleeper = tree.child("b")
    await bench.crash(tree.child("a"))
    asking = bench.asking(sleeper, b"x", timeout=1.0)
    await bench.clock.advance(10.0)
    with pytest.raises(RequestTimeout):
        await asking
    assert "asleep" == sleeper.state
    later = bench.asking(sleeper, b"y", timeout=5.0)
    await settle()
    assert (True, "running") == (later.done(), sleeper.state)


async def test_a_rollback_ends_a_sleep_in_the_books_too(bench: Bench) -> None:
    """There is no memory for its revival; the old one, which was kept ready, serves and has its memory again."""
    room, limits = Admission(bench.supervisor.registry, None, 2 * MIB), Limits(max_memory_bytes=MIB)

    async def load(name: str, **spec: Any) -> Child:
        with room.load_under_way(component(name), limits):
            return await bench.start(name, room=room, limits=limits, **spec)

    child = await load("a", script=version("1"), passivate_after=AFTER)
    wanted = Upgrade(Probation(probation=60.0, max_crashes=0), HOST)
    with room.upgrade_under_way(child, wanted):
        await bench.supervisor.upgrades.run(child, wanted, version("2"))
    await bench.clock.advance(AFTER)
    await load("b")
    assert (b"1", 1) == (await bench.ask(child, b"version"), child.rollbacks)
    with pytest.raises(InstantiationFailed, match="over the 0 that are left"):
        await load("c")
    await bench.supervisor.restart(child)
    assert EventKind.REVIVED not in bench.observer.kinds()


async def test_the_second_order_to_step_aside_is_not_forgotten(bench: Bench) -> None:
    """It came before the actor had gone on from the first."""
    child = await bench.start(script=version("1"))
    assert child.actor is not None
    first = child.actor.step_aside()
    await settle()
    first.go_on()
    second = child.actor.step_aside()
    await settle()
    assert second.waits()
    second.go_on()
    assert b"1" == await bench.ask(child, b"version")


async def test_an_upgrade_does_not_take_over_from_one_that_a_link_ends(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All in one turn, in which it has just been woken: it ends as linked, and the new one takes its place then."""
    child = await bench.start(script=version("1"))
    step_aside, linked = ComponentActor.step_aside, ExitReason(ExitKind.LINKED, "to another one")

    def in_one_turn(actor: ComponentActor) -> Aside:
        if actor is first:
            assert actor._mailbox is not None
            actor._mailbox.put_signal(Order.CHECK)
            actor.end(linked)
        return step_aside(actor)

    first = child.actor
    monkeypatch.setattr(ComponentActor, "step_aside", in_one_turn)
    upgraded = upgrading(bench, child, version("2"))
    await bench.clock.advance(1.0)
    assert (True, b"2") == (upgraded.done(), await bench.ask(child, b"version"))
    kinds = [EventKind.STARTED, EventKind.LINKED, EventKind.RESTARTING, EventKind.UPGRADED, EventKind.STARTED]
    assert kinds == bench.observer.kinds()


class SlowStore:
    """A storage in which nobody comes to own anything until it is let go."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()

    async def claim(self, *_: object, **__: object) -> None:
        """As of `Storage`."""
        await self.let_go.wait()


@pytest.mark.parametrize("end", ["sleep", "crash", "rollback"])
async def test_an_instance_that_took_the_place_of_a_sleeper_takes_it_once(bench: Bench, end: str) -> None:
    """It may end while its upgrade still waits for the storage to be its own; the next start needs another one."""
    storage, terms = SlowStore(), {"probation": 60.0, "max_crashes": 0 if end == "rollback" else 3}
    child = await bench.start(script=version("1"), passivate_after=AFTER, storage=storage)
    await bench.clock.advance(AFTER)
    assert "asleep" == child.state
    upgraded = upgrading(bench, child, version("2"), **terms)
    await settle()
    assert ("running", False) == (child.state, upgraded.done())
    if end == "sleep":
        await bench.clock.advance(AFTER)
        assert "asleep" == child.state
    else:
        await bench.crash(child)
        await bench.clock.advance(1.0)
    served = bench.asking(child, b"version", timeout=5.0)
    await settle()
    assert (True, 3, 1) == (served.done(), len(bench.host.guests), child.upgrades)
    assert (b"1" if end == "rollback" else b"2") == await served
    storage.let_go.set()
    await upgraded
    stopped = asyncio.create_task(bench.supervisor.stop_child(child))
    await settle()
    assert (True, "stopped") == (stopped.done(), child.state)
