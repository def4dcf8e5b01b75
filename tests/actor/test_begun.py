"""Asks that scripted guests begin on the spot, and what comes between their first step and the rest."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from airssys_wasm import ActorHandle, ActorStopped, ActorSystem, ComponentId, HealthCheck
from airssys_wasm.actor.actor import ComponentActor
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.testing.clock import ManualClock, settle
from airssys_wasm.testing.guests import OBEDIENT, Script, ScriptedGuest, ScriptedHost

ID = ComponentId("demo", "guest", "0")


class Eager:
    """Asks itself on as it handles a message, with a task that is begun at once, as an eager task factory does."""

    def __init__(self) -> None:
        self.system: ActorSystem | None = None
        self.log: list[str] = []

    async def handle(self, _guest: ScriptedGuest, message: ComponentMessage) -> bytes:
        """The first message asks another one."""
        text = message.payload.data.decode()
        self.log.append(f"begins {text}")
        if text == "outer":
            assert self.system is not None
            handle = self.system.get(ID)
            assert handle is not None
            self.asking = handle.ask(b"inner")
            self.waits_for = self.asking.send(None)
        self.log.append(f"ends {text}")
        return message.payload.data


@pytest.fixture
def eager() -> Eager:
    """A guest's conduct."""
    return Eager()


@pytest.fixture
async def system(eager: Eager) -> AsyncIterator[ActorSystem]:
    """With guests that begin every message on the spot that can be."""
    clock = ManualClock()
    host = ScriptedHost({b"eager": Script(on_message=eager.handle)}, clock, on_the_spot=lambda: True)
    async with ActorSystem(host=host, clock=clock) as system:
        eager.system = system
        yield system


def _clock(system: ActorSystem) -> ManualClock:
    clock = system._parts().supervisor.clock
    assert isinstance(clock, ManualClock)
    return clock


def _host(system: ActorSystem) -> ScriptedHost:
    host = system._parts().supervisor._host
    inner = getattr(host, "inner", host)
    assert isinstance(inner, ScriptedHost)
    return inner


def _actor(handle: ActorHandle) -> ComponentActor:
    actor = handle._child.actor
    assert actor is not None
    return actor


async def _begun_and(handle: ActorHandle, meanwhile: Callable[[], object]) -> "asyncio.Task[bytes | None]":
    """Ask for what takes longer, and do something before the actor's task goes on with it."""
    await settle()
    asking = asyncio.create_task(handle.ask(b"wait"))
    asyncio.get_running_loop().call_soon(meanwhile)
    await asyncio.sleep(0)
    work = _actor(handle)._work
    assert work is not None
    assert work.begun is not None
    await settle()
    return asking


def _late(system: ActorSystem, handle: ActorHandle) -> None:
    """Time passes, and the timer rings of what a component does besides messages."""
    clock, upkeep = _clock(system), _actor(handle)._upkeep
    clock._now += 1.0
    assert upkeep is not None
    upkeep._ring()


async def test_an_answer_of_one_step_takes_no_turn(system: ActorSystem) -> None:
    """Of a script that waits for nothing."""
    guest = await system.load(ID, OBEDIENT)
    await settle()
    turns: list[None] = []
    asyncio.get_running_loop().call_soon(turns.append, None)
    assert b"1" == await guest.ask(b"count")
    assert [] == turns


async def test_it_does_not_fall_asleep_over_a_message_that_has_begun(system: ActorSystem) -> None:
    """It is idle again only afterwards."""
    guest = await system.load(ID, OBEDIENT, passivate_after=0.5)
    asking = await _begun_and(guest, lambda: _late(system, guest))
    _host(system).live[0].resume(b"awake")
    await settle()
    assert (b"awake", "running") == (await asking, guest.state)
    await _clock(system).advance(1.0)
    assert "asleep" == guest.state


async def test_one_that_is_killed_in_between_is_closed(system: ActorSystem) -> None:
    """Whatever its time for sleep was; the message ends with it."""
    guest = await system.load(ID, OBEDIENT, passivate_after=0.5)

    def meanwhile() -> None:
        _late(system, guest)
        _actor(guest).kill()

    asking = await _begun_and(guest, meanwhile)
    with pytest.raises(ActorStopped):
        await asking
    assert [True] == [each.closed for each in _host(system).guests]


async def test_a_check_of_its_health_does_not_prolong_what_was_begun_on_the_spot(system: ActorSystem) -> None:
    """It is idle since its last answer, not since the next check."""
    guest = await system.load(ID, OBEDIENT, passivate_after=15.0, health=HealthCheck(interval=10.0))
    await _clock(system).advance(1.0)
    await guest.ask(b"x")
    await _clock(system).advance(14.5)
    assert "running" == guest.state
    await _clock(system).advance(1.0)
    assert "asleep" == guest.state


async def test_a_message_does_not_begin_in_the_middle_of_a_first_step(system: ActorSystem, eager: Eager) -> None:
    """Eager host code asks again there: that one comes in its turn."""
    guest = await system.load(ID, b"eager")
    await settle()
    assert b"outer" == await guest.ask(b"outer")
    assert ["begins outer", "ends outer"] == eager.log
    await settle()
    assert ["begins outer", "ends outer", "begins inner", "ends inner"] == eager.log
    with pytest.raises(StopIteration) as caught:
        eager.asking.send(None)
    assert b"inner" == caught.value.value
