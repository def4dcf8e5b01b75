"""Components that are asked for their health and that sleep, as an application has them: real WebAssembly."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from airssys_wasm import (
    ActorHandle,
    ActorState,
    ActorStopped,
    ActorSystem,
    Capabilities,
    ComponentId,
    ComponentSpec,
    ConfigError,
    EventKind,
    HealthCheck,
    HealthStatus,
    InstantiationFailed,
    Limits,
    RestartPolicy,
    SupervisorSpec,
)
from airssys_wasm.testing.guests import Script, ScriptedGuest, ScriptedHost
from tests.contract.stage import until
from tests.runtime.plugins import KV, Kv
from tests.system.pipelines import GUESTS

SOON = 0.02
MIB = 1 << 20


def named(name: str) -> ComponentId:
    """An id."""
    return ComponentId("demo", name, "0")


@pytest.fixture
async def system() -> AsyncIterator[ActorSystem]:
    """An empty system."""
    async with ActorSystem() as system:
        yield system


async def load(system: ActorSystem, name: str, guest: str = "counter", **how: object) -> ActorHandle:
    """A component that sleeps soon."""
    return await system.load(named(name), GUESTS / f"{guest}.wasm", passivate_after=SOON, **how)  # type: ignore[arg-type]


async def until_asleep(*handles: ActorHandle) -> None:
    """Wait for it."""
    await until(lambda: all(handle.state is ActorState.ASLEEP for handle in handles), "sleep")


async def test_each_way_to_reach_a_component_wakes_it(system: ActorSystem) -> None:
    """Whoever sends need not know that it sleeps; its state begins anew each time."""
    counter = await load(system, "counter")
    caller = await system.load(
        named("caller"), GUESTS / "hostile.wasm", capabilities=Capabilities(send=["demo/*"], request=["demo/*"])
    )
    await system.subscribe("news", counter.id)
    host = ComponentId("host", "app", "0")
    ways: dict[str, Callable[[], Awaitable[object]]] = {
        "ask": lambda: counter.ask(b""),
        "tell": lambda: counter.tell(b""),
        "send": lambda: system.send(host, counter.id, b""),
        "publish": lambda: system.publish("news", b""),
        "a guest's send": lambda: caller.ask(b"send demo|counter|0 x"),
    }
    for number, way in enumerate(ways.values(), start=1):
        await until_asleep(counter)
        await way()
        await until(lambda wanted=number: counter.statistics().handled == wanted)  # type: ignore[misc]
    await until_asleep(counter)
    counter.tell_nowait(b"")
    assert b"2" == await counter.ask(b"")
    assert (6, 0, 0) == (counter.statistics().revivals, counter.statistics().restarts, counter.statistics().crashes)


async def test_a_component_with_a_request_under_way_stays_awake_for_the_answer(system: ActorSystem) -> None:
    """The answer belongs to the instance that asked."""
    answer, asked = asyncio.Event(), asyncio.Event()

    async def slow(_message: object) -> bytes:
        asked.set()
        await answer.wait()
        return b"at last"

    await system.serve(ComponentId("host", "slow", "0"), slow)
    caller = await load(system, "caller", "callback", capabilities=Capabilities(request=["host/*"]))
    await caller.ask(b"host|slow|0|question")
    await asked.wait()
    await asyncio.sleep(5 * SOON)
    assert "running" == caller.state
    answer.set()
    await until_asleep(caller)
    assert (2, 0) == (caller.statistics().handled, system.statistics().dropped_requests)


async def test_a_request_on_behalf_of_one_that_sleeps_wakes_it_first(system: ActorSystem) -> None:
    """So that there is an instance which gets the answer."""
    counter = await load(system, "counter")
    caller = await load(system, "caller", "callback", capabilities=Capabilities(request=["demo/*"]))
    await until_asleep(counter, caller)
    await system.request(caller.id, counter.id, b"")
    await until(lambda: caller.statistics().handled == 1)
    assert (1, 1) == (caller.statistics().revivals, counter.statistics().revivals)


async def test_storage_grants_and_metadata_outlive_a_sleep(system: ActorSystem) -> None:
    """What it must keep is in storage."""
    guest = await load(system, "keeper", "hostile", capabilities=Capabilities(storage=["read", "write"]))
    await guest.ask(b"storage-set k v")
    await until_asleep(guest)
    assert "hostile" == guest.metadata.name
    assert b"ok some v" == await guest.ask(b"storage-get k")


async def test_a_sleeping_component_gives_its_memory_back() -> None:
    """Another one may have it; who is woken then is refused, in clear words, and tried again."""
    async with ActorSystem(max_total_memory_bytes=16 * MIB, max_components=2) as system:
        events, limits = system.events(), Limits(max_memory_bytes=16 * MIB)
        patient = RestartPolicy(intensity=1_000_000)
        sleeper = await load(system, "sleeper", limits=limits, restart=patient)
        with pytest.raises(InstantiationFailed, match="max_total_memory_bytes"):
            await system.load(named("other"), GUESTS / "echo.wasm", limits=limits)
        await until_asleep(sleeper)
        other = await system.load(named("other"), GUESTS / "echo.wasm", limits=limits)
        with pytest.raises(InstantiationFailed, match="max_components"):
            await system.load(named("third"), GUESTS / "echo.wasm", limits=limits)
        asking = asyncio.create_task(sleeper.ask(b"", timeout=None))
        crashed = await anext(event async for event in events if event.kind is EventKind.CRASHED)
        assert "is over the 0 that are left of max_total_memory_bytes" in str(crashed.reason)
        await system.unload(other)
        assert b"1" == await asking


async def test_a_sleeper_is_well_to_others(system: ActorSystem) -> None:
    """In `get-component-metadata`; it can be reached like any other."""
    seer = await system.load(named("seer"), GUESTS / "hostile.wasm", capabilities=Capabilities(send=["demo/*"]))
    sleeper = await load(system, "sleeper")
    await until_asleep(sleeper)
    assert b"ok demo/sleeper/0 counter 1.0.0 healthy" == await seer.ask(b"meta demo|sleeper|0")


@pytest.mark.parametrize("word", ["degraded", "unknown", "unhealthy"])
async def test_others_are_told_its_last_answer(word: str) -> None:
    """Instead of what its state would mean."""

    async def health(_guest: ScriptedGuest) -> bytes:
        return word.encode()

    host = ScriptedHost({b"ill": Script(on_health=health)})
    async with ActorSystem(host=host) as system:
        check = HealthCheck(interval=0.001, failures=1_000_000)
        ill = await system.load(named("ill"), b"ill", health=check, capabilities=Capabilities(send=["demo/*"]))
        await until(lambda: ill.statistics().health is not None)
        info = system._parts().router.describe(ill.id, ill.id)
        assert info is not None
        assert (word, word) == (info.health, ill.statistics().health)


async def test_a_real_guest_is_asked_for_its_health(system: ActorSystem) -> None:
    """Over WebAssembly, again and again; observers hear of it once."""
    events = system.events()
    await system.load(named("echo"), GUESTS / "echo.wasm", health=HealthCheck(interval=0.005))
    told = await anext(event async for event in events if event.kind is EventKind.HEALTH)
    assert (HealthStatus.HEALTHY, named("echo")) == (told.health, told.component)


async def test_a_component_with_functions_of_its_own_sleeps_and_wakes_too(system: ActorSystem) -> None:
    """A call is a message like any other; without `health` its health is unknown, and with that nothing is wrong."""
    check = HealthCheck(interval=SOON / 4, failures=1)
    plugin = await load(system, "plugin", "plugin", imports={KV: Kv()}, health=check)
    for _ in range(3):
        assert "Hello, Ada!" == await plugin["my:app/api"].greet("Ada")
        await until_asleep(plugin)
    statistics = plugin.statistics()
    assert statistics.health in {None, HealthStatus.UNKNOWN}
    assert 0 == statistics.crashes


async def test_a_tree_has_sleeping_components(system: ActorSystem) -> None:
    """A specification says it as `load` does."""
    spec = ComponentSpec(named("echo"), GUESTS / "echo.wasm", passivate_after=SOON, health=HealthCheck())
    tree = await system.supervise(SupervisorSpec(name="app", children=[spec]))  # type: ignore[list-item]
    echo = system.get(named("echo"))
    assert echo is not None
    await until_asleep(echo)
    assert ("running", b"x") == (tree.state, await echo.ask(b"x"))


async def test_leaving_a_system_full_of_sleepers_is_quick() -> None:
    """Nothing has to be shut down any more; nobody can be woken afterwards."""
    async with ActorSystem() as system:
        compiled = await system.compile(GUESTS / "echo.wasm")
        handles = [
            await system.load(ComponentId("demo", "echo", str(number)), compiled, passivate_after=SOON)
            for number in range(40)
        ]
        await until_asleep(*handles)
        assert b"x" == await handles[7].ask(b"x")
    with pytest.raises(ActorStopped):
        await handles[0].ask(b"x")


async def test_a_policy_of_its_own_says_how_one_component_is_restarted(system: ActorSystem) -> None:
    """Not only when, but how often and how soon."""
    events = system.events()
    policy = RestartPolicy(restart="transient", intensity=1, backoff_initial=0.0)
    guest = await system.load(named("guest"), GUESTS / "hostile.wasm", restart=policy)
    await guest.tell(b"trap")
    await guest.tell(b"trap")
    restarting = await anext(event async for event in events if event.kind is EventKind.RESTARTING)
    assert (1, 0.0) == (restarting.attempt, restarting.delay)
    assert "failed" == (await guest.wait_stopped()).kind


@pytest.mark.parametrize("how", [{"health": 10}, {"passivate_after": 0}, {"restart": "often"}])
async def test_wrong_settings_are_refused_before_anything_is_compiled(
    system: ActorSystem, how: dict[str, object]
) -> None:
    """The error names the field, and the id is free."""
    with pytest.raises(ConfigError, match=next(iter(how))):
        await system.load(named("echo"), Path("nowhere.wasm"), **how)  # type: ignore[arg-type]
    assert system.get(named("echo")) is None
