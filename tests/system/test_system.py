"""`ActorSystem` on scripted guests: loading, finding, sending, observing, unloading."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from airssys_wasm import (
    ActorState,
    ActorStopped,
    ActorSystem,
    AlreadyLoaded,
    Capabilities,
    CapabilityDenied,
    ComponentId,
    ComponentMessage,
    ConfigError,
    DeadLetterReason,
    EventKind,
    GuestError,
    InstantiationFailed,
    InvalidComponent,
    InvalidId,
    Limits,
    PayloadTooLarge,
    TargetNotFound,
)
from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.observations import DeadLetter
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import OBEDIENT, Script, ScriptedGuest, ScriptedHost
from airssys_wasm.testing.recorder import Recorder

A, B = ComponentId("demo", "a", "0"), ComponentId("demo", "b", "0")
FAILING, SLOW, CONFIGURED = b"failing", b"slow", b"configured"


async def _failing(_guest: ScriptedGuest, _config: ComponentConfig) -> None:
    raise GuestError("initialization-failed", "no database")


async def _slow(host: ScriptedHost) -> None:
    host.note_pause()
    await asyncio.Event().wait()


async def _remember(guest: ScriptedGuest, config: ComponentConfig) -> None:
    guest.count = len(config.data or b"") + len(config.env)


@pytest.fixture
def host() -> ScriptedHost:
    """Scripts by name."""
    scripts = {
        FAILING: Script(on_initialize=_failing),
        SLOW: Script(on_compile=_slow),
        CONFIGURED: Script(on_initialize=_remember),
    }
    return ScriptedHost(scripts)


@pytest.fixture
async def system(host: ScriptedHost) -> AsyncIterator[ActorSystem]:
    """Entered and left in different tasks."""
    async with ActorSystem(host=host) as system:
        yield system
    assert [] == host.live


async def test_load_ask_unload(system: ActorSystem) -> None:
    """The shortest story; after an unload the id is free, and a second unload silent."""
    handle = await system.load(A, OBEDIENT)
    assert b"hello" == await handle.ask(b"hello", timeout=1.0)
    assert handle == system.get(A)
    await system.unload(handle)
    await system.unload(handle)
    assert (None, ActorState.STOPPED) == (system.get(A), handle.state)
    with pytest.raises(ActorStopped):
        await handle.ask(b"hello")
    assert 2 == (await system.load(A, OBEDIENT)).handle_id


async def test_unload_of_an_earlier_handle_leaves_the_later_load_alone(system: ActorSystem) -> None:
    """The id is the same, the load is not."""
    old = await system.load(A, OBEDIENT)
    await system.unload(old)
    new = await system.load(A, OBEDIENT)
    await system.unload(old)
    assert b"x" == await new.ask(b"x")


async def test_unload_of_another_systems_handle_is_silent(system: ActorSystem) -> None:
    """Also when id and number are the same."""
    mine = await system.load(A, OBEDIENT)
    async with ActorSystem(host=ScriptedHost()) as other:
        await system.unload(await other.load(A, OBEDIENT))
    assert b"x" == await mine.ask(b"x")


async def test_an_id_is_loaded_once_also_while_it_compiles(system: ActorSystem, host: ScriptedHost) -> None:
    """The second load fails before it compiles; a cancelled one gives the id back."""
    loading = asyncio.create_task(system.load(A, SLOW))
    await host.until_paused()
    with pytest.raises(AlreadyLoaded):
        await system.load(A, OBEDIENT)
    assert None is system.get(A)
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    assert b"x" == await (await system.load(A, OBEDIENT)).ask(b"x")
    with pytest.raises(AlreadyLoaded):
        await system.load(A, OBEDIENT)


async def test_a_load_that_fails_leaves_nothing(system: ActorSystem, host: ScriptedHost) -> None:
    """No instance, no id, no grant."""
    with pytest.raises(InstantiationFailed, match="no database"):
        await system.load(A, FAILING, capabilities=Capabilities(send=["*"]))
    with pytest.raises(InvalidComponent):
        await system.load(A, b"unknown")
    assert (None, [], {}) == (system.get(A), host.live, dict(system.statistics().components))
    await system.load(B, OBEDIENT)
    with pytest.raises(CapabilityDenied):
        await system.send(A, B, b"x")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"restart": "always"}, "restart"),
        ({"execution": "gpu"}, "execution"),
        ({"config": 3}, "config"),
        ({"env": ["A=1"]}, "env"),
        ({"shutdown": "soon"}, "shutdown"),
        ({"shutdown": -1}, "shutdown"),
        ({"shutdown": float("nan")}, "shutdown"),
        ({"shutdown": True}, "shutdown"),
        ({"limits": {"max_fuel": 3}}, "limits"),
        ({"capabilities": ["send"]}, "capabilities"),
    ],
)
async def test_a_wrong_setting_is_named(system: ActorSystem, options: dict[str, object], field: str) -> None:
    """Before anything is compiled; the id stays free."""
    with pytest.raises(ConfigError, match=field):
        await system.load(A, SLOW, **options)  # type: ignore[arg-type]
    await system.load(A, OBEDIENT)


@pytest.mark.parametrize(
    "options", [{"stop_timeout": 0}, {"stop_timeout": float("inf")}, {"max_components": 0}, {"max_components": True}]
)
def test_a_wrong_setting_of_the_system_is_named(options: dict[str, object]) -> None:
    """At construction."""
    with pytest.raises(ConfigError, match=next(iter(options))):
        ActorSystem(**options)  # type: ignore[arg-type]


def test_the_systems_name_is_part_of_an_id() -> None:
    """So it has to be one that can be."""
    with pytest.raises(InvalidId):
        ActorSystem("a/b")


async def test_the_host_namespace_is_not_for_components(system: ActorSystem) -> None:
    """No guest can pose as the host."""
    with pytest.raises(InvalidId, match="host"):
        await system.load(ComponentId("host", "app", "0"), OBEDIENT)


async def test_max_components_counts_loads_under_way(host: ScriptedHost) -> None:
    """And frees a place with each unload."""
    async with ActorSystem(host=host, max_components=2) as system:
        first = await system.load(A, OBEDIENT)
        loading = asyncio.create_task(system.load(B, SLOW))
        await host.until_paused()
        with pytest.raises(InstantiationFailed, match="max_components"):
            await system.load(ComponentId("demo", "c", "0"), OBEDIENT)
        loading.cancel()
        await asyncio.wait([loading])
        await system.load(B, OBEDIENT)
        await system.unload(first)
        await system.load(A, OBEDIENT)


async def test_config_and_env_reach_initialize(system: ActorSystem, host: ScriptedHost) -> None:
    """As bytes, str or dict, or made already."""
    for number, config in enumerate([b"12", "12", ComponentConfig(data=b"12")]):
        await system.load(ComponentId("demo", "c", str(number)), CONFIGURED, config=config)
        assert 2 == host.guests[-1].count
    await system.load(A, CONFIGURED, config={"a": 1}, env={"A": "1"})
    assert len('{"a": 1}') + 1 == host.guests[-1].count


async def test_a_compiled_component_is_loaded_many_times(system: ActorSystem) -> None:
    """Each has an instance of its own."""
    compiled = await system.compile(OBEDIENT)
    handles = [await system.load(ComponentId("demo", "c", str(number)), compiled) for number in range(3)]
    assert [b"1"] * 3 == [await handle.ask(b"count") for handle in handles]
    assert (await system.inspect(OBEDIENT)).fits


async def test_limits_are_the_systems_unless_given(host: ScriptedHost) -> None:
    """Per component."""
    async with ActorSystem(host=host, limits=Limits(max_payload_bytes=10)) as system:
        small, large = await system.load(A, OBEDIENT), await system.load(B, OBEDIENT, limits=Limits())
        with pytest.raises(PayloadTooLarge):
            await small.ask(bytes(11))
        assert bytes(11) == await large.ask(bytes(11))


async def test_guests_send_to_one_another_with_a_grant_only(system: ActorSystem) -> None:
    """A denied send is a trap of this script, and a dead letter."""
    sender = await system.load(A, OBEDIENT, capabilities=Capabilities(send=["demo/b/*"]))
    target = await system.load(B, OBEDIENT)
    await sender.ask(b"send demo/b/0 count")
    assert b"2" == await target.ask(b"count")
    recorder = Recorder(system)
    await target.tell(b"send demo/a/0 x")
    await recorder.until(lambda seen: len(seen.dead_letters) > 1)
    denied, crashed = recorder.dead_letters
    assert (A, B, DeadLetterReason.DENIED) == (denied.target, denied.message.sender, denied.reason)
    assert (B, DeadLetterReason.CRASHED) == (crashed.target, crashed.reason)


async def test_a_grant_ends_with_its_component(system: ActorSystem) -> None:
    """Whoever gets the id next starts with nothing."""
    await system.load(B, OBEDIENT)
    handle = await system.load(A, OBEDIENT, capabilities=Capabilities(send=["*"]))
    await system.send(A, B, b"x")
    await system.unload(handle)
    await system.load(A, OBEDIENT)
    with pytest.raises(CapabilityDenied):
        await system.send(A, B, b"x")


async def test_host_code_sends_by_address(system: ActorSystem) -> None:
    """As host/<name>/0, or as another host id; content types of the runtime are refused."""
    handle = await system.load(A, OBEDIENT)
    await system.send(None, A, b"count")
    await system.send(ComponentId("host", "web", "1"), A, b"count", "text/plain")
    assert b"3" == await handle.ask(b"count")
    with pytest.raises(TargetNotFound):
        await system.send(None, B, b"x")
    with pytest.raises(ConfigError):
        await system.send(None, A, b"x", "application/x.airssys.flush")


async def test_events_tell_a_components_story(host: ScriptedHost) -> None:
    """Every reader gets all of it, and the end."""
    async with ActorSystem(host=host) as system:
        events = system.events()
        handle = await system.load(A, OBEDIENT)
        await handle.tell(b"trap")
        assert b"1" == await handle.ask(b"count")
        await handle.restart()
    kinds = [event.kind async for event in events]
    restart = [EventKind.RESTARTING, EventKind.STARTED]
    assert [EventKind.STARTED, EventKind.CRASHED, *restart, EventKind.INTERRUPTED, *restart, EventKind.STOPPED] == kinds


async def test_statistics_are_a_snapshot(system: ActorSystem) -> None:
    """Counts of components and of dead letters; what host code reports is among them."""
    handle = await system.load(A, OBEDIENT)
    await handle.ask(b"x")
    message = ComponentMessage(ComponentId("host", "app", "0"), b"x")
    system.record_dead_letter(DeadLetter(A, message, DeadLetterReason.GUEST_ERROR))
    before = system.statistics()
    await handle.ask(b"x")
    assert 1 == before.components[A].handled
    assert {DeadLetterReason.GUEST_ERROR: 1} == {why: count for why, count in before.dead_letters.items() if count}
    assert (0, 0, 0) == (before.dropped_events, before.dropped_dead_letters, before.abandoned_threads)
    await settle()
