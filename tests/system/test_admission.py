"""How many components a system takes, and how much memory they may be promised."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from airssys_wasm import ActorSystem, AlreadyLoaded, ComponentId, EventKind, InstantiationFailed, InvalidId, Limits
from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.errors import GuestError
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.testing.guests import OBEDIENT, Script, ScriptedGuest, ScriptedHost

MIB = 1 << 20
FAILING, WAITING = b"failing", b"waiting"


def component(number: int) -> ComponentId:
    """One of many."""
    return ComponentId("demo", "many", str(number))


async def _fail(_guest: ScriptedGuest, _config: ComponentConfig) -> None:
    raise GuestError("initialization-failed", "no")


async def _wait(guest: ScriptedGuest, _config: ComponentConfig) -> bytes | None:
    return await guest.pause()


@asynccontextmanager
async def opened(
    max_components: int | None = None, max_total_memory_bytes: int | None = None
) -> AsyncIterator[tuple[ActorSystem, ScriptedHost]]:
    """A system with bounds; its scripted components promise themselves 1 MiB each."""
    host = ScriptedHost({FAILING: Script(on_initialize=_fail), WAITING: Script(on_initialize=_wait)})
    bounds = {"max_components": max_components, "max_total_memory_bytes": max_total_memory_bytes}
    async with ActorSystem(host=host, limits=Limits(max_memory_bytes=MIB), **bounds) as system:  # type: ignore[arg-type]
        yield system, host


async def test_one_more_than_max_components_is_refused_until_one_is_unloaded() -> None:
    """The text names the setting."""
    async with opened(max_components=2) as (system, _):
        first = await system.load(component(1), OBEDIENT)
        await system.load(component(2), OBEDIENT)
        with pytest.raises(InstantiationFailed, match="2 components are loaded, which is max_components"):
            await system.load(component(3), OBEDIENT)
        await system.unload(first)
        await system.load(component(3), OBEDIENT)


async def test_memory_is_counted_by_what_components_may_use() -> None:
    """Exactly up to the bound; the text says what is left."""
    async with opened(max_total_memory_bytes=3 * MIB) as (system, _):
        await system.load(component(1), OBEDIENT)
        await system.load(component(2), OBEDIENT)
        with pytest.raises(InstantiationFailed, match=f"{MIB + 1} is over the {MIB} that are left"):
            await system.load(component(3), OBEDIENT, limits=Limits(max_memory_bytes=MIB + 1))
        last = await system.load(component(3), OBEDIENT)
        with pytest.raises(InstantiationFailed, match="over the 0 that are left"):
            await system.load(component(4), OBEDIENT)
        await system.unload(last)
        await system.load(component(4), OBEDIENT)


async def test_loads_under_way_are_counted() -> None:
    """Of many at once, as many succeed as there is room for."""
    for bounds in ({"max_components": 3}, {"max_total_memory_bytes": 3 * MIB}):
        async with opened(**bounds) as (system, _):
            loads = [system.load(component(number), OBEDIENT) for number in range(10)]
            ended = await asyncio.gather(*loads, return_exceptions=True)
            assert 7 == sum(isinstance(end, InstantiationFailed) for end in ended)


@pytest.mark.parametrize("bounds", [{"max_components": 2}, {"max_total_memory_bytes": 2 * MIB}], ids=str)
async def test_a_component_is_counted_once_while_its_load_ends(bounds: dict[str, int]) -> None:
    """It runs, and the load that started it has not returned yet: there is room for the second one."""
    async with opened(**bounds) as (system, _):
        events = system.events()

        async def load_the_second() -> None:
            event = await anext(events)
            assert EventKind.STARTED is event.kind
            await system.load(component(2), OBEDIENT)

        async with asyncio.TaskGroup() as group:
            group.create_task(load_the_second())
            await asyncio.sleep(0)
            group.create_task(system.load(component(1), OBEDIENT))


async def test_a_load_that_fails_or_is_cancelled_gives_its_place_back() -> None:
    """And its memory."""
    async with opened(max_components=1, max_total_memory_bytes=MIB) as (system, host):
        with pytest.raises(InstantiationFailed, match="no"):
            await system.load(component(1), FAILING)
        loading = asyncio.create_task(system.load(component(1), WAITING))
        await host.until_paused()
        with pytest.raises(InstantiationFailed, match="max_components"):
            await system.load(component(2), OBEDIENT)
        with pytest.raises(InstantiationFailed, match="max_components"):
            await system.load(component(1), OBEDIENT)
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading
        await system.load(component(1), OBEDIENT)


async def test_a_taken_id_is_refused_where_there_is_room() -> None:
    """Before anything else is looked at."""
    async with opened(max_components=2) as (system, _):
        await system.load(component(1), OBEDIENT)
        with pytest.raises(AlreadyLoaded):
            await system.load(component(1), OBEDIENT)
        with pytest.raises(InvalidId, match="reserved"):
            await system.load(ComponentId("host", "x", "0"), OBEDIENT)


async def test_served_host_code_is_not_counted() -> None:
    """The bounds are for components."""

    async def handler(_message: ComponentMessage) -> None:
        return None

    async with opened(max_components=1, max_total_memory_bytes=MIB) as (system, _):
        for number in range(3):
            await system.serve(ComponentId("host", "served", str(number)), handler)
        await system.load(component(1), OBEDIENT)
