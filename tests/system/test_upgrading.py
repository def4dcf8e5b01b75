"""Upgrades of a whole system: what is raised, what is claimed, counted and told."""

import asyncio
from pathlib import Path

import pytest

from airssys_wasm import (
    ActorStopped,
    ActorSystem,
    Capabilities,
    ComponentCrashed,
    ComponentId,
    ComponentMessage,
    ConfigError,
    EventKind,
    ExportNotFound,
    InstantiationFailed,
    InvalidComponent,
    Limits,
    StorageClaimed,
    UpgradeFailed,
    UpgradeUnderWay,
)
from airssys_wasm.core.storage import Storage
from airssys_wasm.testing.clock import ManualClock
from airssys_wasm.testing.guests import OBEDIENT, Script, ScriptedHost
from tests.actor.upgrading import HANDS_OVER, version
from tests.guests.wat import missing_export

GUESTS = Path(__file__).parents[1] / "guests"
ONE = ComponentId("demo", "one", "0")
V1, V2, BROKEN = b"v1", b"v2", b"broken"


def scripted(**scripts: Script) -> tuple[ScriptedHost, ManualClock]:
    """A host with two versions."""
    clock = ManualClock()
    known = {V1: version("1", *HANDS_OVER), V2: version("2", *HANDS_OVER)}
    return ScriptedHost(known | {name.encode(): script for name, script in scripts.items()}, clock), clock


async def test_a_real_component_is_replaced_by_another() -> None:
    """Bytes, a path or a compiled component; grants and the handle stay."""
    async with ActorSystem() as system:
        one = await system.load(ONE, GUESTS / "echo.wasm", capabilities=Capabilities(send=["demo/*"]))
        assert b"x" == await one.ask(b"x")
        await system.upgrade(one, GUESTS / "counter.wasm")
        assert [b"1", b"2"] == [await one.ask(b"x"), await one.ask(b"x")]
        assert "counter" == one.metadata.name
        await system.upgrade(one, await system.compile(GUESTS / "echo.wasm"))
        assert (b"y", one) == (await one.ask(b"y"), system.get(ONE))
        await system.upgrade(one, (GUESTS / "counter.wasm").read_bytes(), probation=0)
        assert (b"1", 3) == (await one.ask(b"x"), one.statistics().upgrades)


async def test_what_is_no_component_of_the_contract_is_refused_while_the_old_one_serves() -> None:
    """With the errors of a load."""
    async with ActorSystem() as system:
        one = await system.load(ONE, GUESTS / "counter.wasm", limits=Limits(max_component_bytes=100_000))
        await one.ask(b"")
        with pytest.raises(InvalidComponent):
            await system.upgrade(one, b"no wasm")
        with pytest.raises(InvalidComponent, match="max_component_bytes"):
            await system.upgrade(one, b"\0asm\x0d\0\x01\0" + bytes(100_000))
        with pytest.raises(ExportNotFound):
            await system.upgrade(one, missing_export("health"))
        with pytest.raises(InvalidComponent, match="cannot be read"):
            await system.upgrade(one, GUESTS / "nowhere.wasm")
        assert b"2" == await one.ask(b"")


async def test_a_real_crash_on_probation_brings_the_old_one_back() -> None:
    """With all that it has counted; the monitor tells it in order."""
    async with ActorSystem() as system:
        monitor, one = system.monitor(ONE), await system.load(ONE, GUESTS / "counter.wasm")
        await one.ask(b"")
        await system.upgrade(one, GUESTS / "hostile.wasm", max_crashes=0)
        with pytest.raises(ComponentCrashed):
            await one.ask(b"trap")
        assert b"2" == await one.ask(b"")
        await system.unload(one)
        kinds = [event.kind async for event in monitor]
    expected = [EventKind.STARTED, EventKind.UPGRADED, EventKind.CRASHED, EventKind.ROLLED_BACK, EventKind.STOPPED]
    assert expected == kinds


async def test_events_and_statistics_tell_the_version() -> None:
    """To all readers."""
    host, clock = scripted()
    async with ActorSystem(host=host, clock=clock) as system:
        events, one = system.events(), await system.load(ONE, V1)
        await system.upgrade(one, V2)
        seen = [await anext(events), await anext(events)]
        assert [("started", ""), ("upgraded", "2")] == [(event.kind, event.version) for event in seen]
        statistics = system.statistics().components[ONE]
        assert ("digest 2", 1, 0) == (statistics.digest, statistics.upgrades, statistics.rollbacks)


async def test_the_storage_stays_and_belongs_to_the_binary_that_serves(tmp_path: Path) -> None:
    """The same keys; the next load of the new binary is not refused, that of the old one is."""
    grant = Capabilities(storage=["read", "write"])
    compiled = {}
    async with ActorSystem(storage=tmp_path / "keys.db") as system:
        for name in ("echo", "hostile"):
            compiled[name] = await system.compile(GUESTS / f"{name}.wasm")
        one = await system.load(ONE, compiled["echo"], capabilities=grant)
        await system.storage.set(ONE, "k", b"v", max_bytes=100, max_keys=10)
        await system.upgrade(one, compiled["hostile"])
        assert b"v" == await system.storage.get(ONE, "k")
    async with ActorSystem(storage=tmp_path / "keys.db") as system:
        with pytest.raises(StorageClaimed):
            await system.load(ONE, GUESTS / "echo.wasm")
        await system.load(ONE, GUESTS / "hostile.wasm")


@pytest.mark.parametrize("old_is_up", [True, False])
async def test_after_a_rollback_the_storage_is_the_old_binarys(old_is_up: bool) -> None:
    """And after an upgrade that failed."""
    host, clock = scripted()
    async with ActorSystem(host=host, clock=clock) as system:
        one = await system.load(ONE, V1)
        await system.storage.set(ONE, "k", b"v", max_bytes=100, max_keys=10)
        if not old_is_up:
            with pytest.raises(ComponentCrashed):
                await one.ask(b"trap", timeout=None)
        await system.upgrade(one, V2, max_crashes=0)
        await _claimed_by(system.storage, "digest 2")
        with pytest.raises(ComponentCrashed):
            await one.ask(b"trap", timeout=None)
        await clock.advance(1)
        assert b"1" == await one.ask(b"version", timeout=None)
        await _claimed_by(system.storage, "digest 1")


async def _claimed_by(storage: Storage, digest: str) -> None:
    """Only this binary may have the data."""
    await storage.claim(ONE, digest)
    with pytest.raises(StorageClaimed):
        await storage.claim(ONE, "another")


async def test_memory_is_counted_for_both_while_both_live() -> None:
    """A clear refusal, before anything is compiled; after the probation there is room for others again."""
    host, clock = scripted()
    async with ActorSystem(host=host, clock=clock, max_total_memory_bytes=250) as system:
        limits = Limits(max_memory_bytes=100)
        one = await system.load(ONE, V1, limits=limits)
        await system.upgrade(one, V2, probation=5.0)
        with pytest.raises(InstantiationFailed, match="over the 50 that are left"):
            await system.upgrade(one, V1)
        other = ComponentId("demo", "other", "0")
        with pytest.raises(InstantiationFailed, match="over the 50 that are left"):
            await system.load(other, V1, limits=limits)
        await clock.advance(5.1)
        await system.upgrade(one, V1, probation=0)
        await clock.advance(0)
        await system.load(other, V1, limits=limits)


async def test_memory_of_an_upgrade_that_failed_is_free_again() -> None:
    """Whatever failed."""
    host, clock = scripted()
    async with ActorSystem(host=host, clock=clock, max_total_memory_bytes=200) as system:
        one = await system.load(ONE, V1, limits=Limits(max_memory_bytes=100))
        for _ in range(3):
            with pytest.raises(InvalidComponent):
                await system.upgrade(one, BROKEN)
        await system.upgrade(one, V2)


async def test_memory_of_a_sleeper_that_is_upgraded_awake_is_counted() -> None:
    """What was kept for the upgrade is what its new instance has, exactly; asleep again it has none."""
    host, clock = scripted()
    async with ActorSystem(host=host, clock=clock, max_total_memory_bytes=200) as system:
        half = Limits(max_memory_bytes=100)
        one = await system.load(ONE, V1, limits=half, passivate_after=10.0)
        await clock.advance(10.0)
        await system.load(ComponentId("demo", "two", "0"), V1, limits=half)
        await system.upgrade(one, V2, probation=0)
        assert "running" == one.state
        three = ComponentId("demo", "three", "0")
        with pytest.raises(InstantiationFailed, match="over the 0 that are left"):
            await system.load(three, V1, limits=half)
        await clock.advance(10.0)
        assert "asleep" == one.state
        await system.load(three, V1, limits=half)


async def test_two_upgrades_at_once_are_one() -> None:
    """The second hears so before it compiles."""
    host, clock = scripted()
    async with ActorSystem(host=host, clock=clock) as system:
        one = await system.load(ONE, V1)
        first = asyncio.create_task(system.upgrade(one, V2))
        await asyncio.sleep(0)
        with pytest.raises(UpgradeUnderWay):
            await system.upgrade(one, BROKEN)
        await first


async def test_only_components_that_are_there_are_upgraded() -> None:
    """Not host code, not what is gone, not what another system has."""
    host, clock = scripted()
    async with ActorSystem(host=host, clock=clock) as system:
        one = await system.load(ONE, V1)
        await system.unload(one)
        with pytest.raises(ActorStopped):
            await system.upgrade(one, V2)
        await system.load(ONE, V1)
        with pytest.raises(ActorStopped):
            await system.upgrade(one, V2)
        served = await system.serve(ComponentId("host", "app", "inbox"), _ignore)
        with pytest.raises(UpgradeFailed, match="host code"):
            await system.upgrade(served, V2)
        with pytest.raises(ConfigError, match="max_crashes"):
            await system.upgrade(served, V2, max_crashes=-1)


async def _ignore(_message: ComponentMessage) -> None:
    """Host code."""


@pytest.mark.parametrize("by", ["leaving", "an exception", "cancellation"])
async def test_a_system_that_is_left_during_an_upgrade_leaves_nothing(by: str) -> None:
    """The upgrade ends as ActorStopped, whether the components are stopped or killed."""
    upgraded: list[asyncio.Task[None]] = []

    async def on_initialize(guest: object, _config: object) -> None:
        await guest.pause()  # type: ignore[attr-defined]

    host, clock = scripted(slow=version("slow", on_initialize=on_initialize))

    async def lead() -> None:
        async with ActorSystem(host=host, clock=clock) as system:
            one = await system.load(ONE, V1)
            await system.upgrade(one, V2)
            upgraded.append(asyncio.create_task(system.upgrade(one, b"slow")))
            await host.until_paused()
            if by == "an exception":
                raise LookupError
            if by == "cancellation":
                await asyncio.Event().wait()

    leading = asyncio.create_task(lead())
    await host.until_paused()
    if by == "cancellation":
        leading.cancel()
    await asyncio.gather(leading, return_exceptions=True)
    with pytest.raises(ActorStopped):
        await upgraded[0]
    assert [] == host.live
    assert [] == clock.pending
    assert (2 if by == "leaving" else 0) == len(host.calls("shutdown"))


async def test_a_system_that_is_left_during_the_compilation_ends_the_upgrade_too() -> None:
    """Nothing is started any more."""
    gate = asyncio.Event()

    async def on_compile(_host: object) -> None:
        await gate.wait()

    host, clock = scripted(slow=version("slow", on_compile=on_compile))
    async with ActorSystem(host=host, clock=clock) as system:
        upgraded = asyncio.create_task(system.upgrade(await system.load(ONE, V1), b"slow"))
        await asyncio.sleep(0)
    gate.set()
    with pytest.raises(ActorStopped):
        await upgraded
    assert 1 == len(host.guests)


async def test_obedient_guests_without_versions_are_upgraded_too() -> None:
    """No metadata, no state."""
    async with ActorSystem(host=ScriptedHost()) as system:
        one = await system.load(ONE, OBEDIENT)
        await one.ask(b"count")
        await system.upgrade(one, OBEDIENT)
        assert b"1" == await one.ask(b"count")
