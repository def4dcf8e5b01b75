"""Upgrades of components that sleep, or are asked how they are."""

from airssys_wasm.core.health import HealthCheck
from airssys_wasm.core.observations import ActorState, EventKind
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import ScriptedGuest
from tests.actor.bench import Bench
from tests.actor.upgrading import HANDS_OVER, upgrade, version


async def test_a_component_that_sleeps_wakes_as_the_new_one(bench: Bench) -> None:
    """It is initialized anyway, to see whether it does; with nothing to do it falls asleep again."""
    child = await bench.start(script=version("1"), passivate_after=5.0)
    await bench.clock.advance(6)
    assert ActorState.ASLEEP is child.state
    await upgrade(bench, child, version("2"))
    assert (ActorState.RUNNING, b"2") == (child.state, await bench.ask(child, b"version"))
    await bench.clock.advance(12)
    assert (ActorState.ASLEEP, []) == (child.state, bench.host.live)
    assert b"2" == await bench.ask(child, b"version")


async def test_a_new_one_that_falls_asleep_on_probation_is_rolled_back_when_it_crashes_afterwards(bench: Bench) -> None:
    """The old one does not sleep meanwhile: it is kept ready, with what it had; back again it falls asleep."""
    child = await bench.start(script=version("1", *HANDS_OVER), passivate_after=5.0)
    await bench.ask(child, b"count")
    await upgrade(bench, child, version("2", *HANDS_OVER), probation=60.0, max_crashes=0)
    await bench.clock.advance(30)
    assert (ActorState.ASLEEP, [bench.guest(0)]) == (child.state, bench.host.live)
    await bench.crash(child)
    assert (b"1", b"2") == (await bench.ask(child, b"version"), await bench.ask(child, b"count"))
    await bench.clock.advance(6)
    assert (ActorState.ASLEEP, []) == (child.state, bench.host.live)


async def test_an_old_one_that_sleeps_has_no_instance_to_come_back(bench: Bench) -> None:
    """Its binary is started again."""
    child = await bench.start(script=version("1"), passivate_after=5.0)
    await bench.clock.advance(6)
    await upgrade(bench, child, version("2"), max_crashes=0)
    await bench.crash(child)
    await bench.clock.advance(1)
    assert (b"1", 1) == (await bench.ask(child, b"version"), child.rollbacks)


async def test_only_the_one_that_serves_is_asked_how_it_is(bench: Bench) -> None:
    """A new one that is unhealthy has crashed, as far as the probation goes."""
    asked: list[str] = []

    async def on_health(guest: ScriptedGuest) -> bytes:
        asked.append(guest.script.metadata.version)
        return b"healthy" if guest.script.metadata.version == "1" else b"unhealthy"

    check = HealthCheck(interval=1.0, timeout=1.0, failures=2)
    child = await bench.start(script=version("1", on_health=on_health), health=check)
    await bench.clock.advance(1.5)
    await upgrade(bench, child, version("2", on_health=on_health), probation=60.0, max_crashes=0)
    await bench.clock.advance(2.5)
    await settle()
    assert EventKind.ROLLED_BACK in bench.observer.kinds()
    await bench.clock.advance(1.5)
    assert ["1", "2", "2", "1"] == asked[:4]
