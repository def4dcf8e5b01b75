"""Five hundred actors at once; a thousand loads one after the other."""

import asyncio
import gc
import time
from typing import Any, Final

import pytest

from airssys_wasm import ActorSystem, Limits
from airssys_wasm.testing.leaks import Snapshot, left_behind, live_instances, resident_bytes
from tests.contract.stage import Actor, Stage, binary, component

ACTORS: Final = 500
CYCLES: Final = 1000
SMALL: Final = Limits(max_memory_bytes=4 << 20)
MIB: Final = 1 << 20


@pytest.mark.slow
@pytest.mark.usefixtures("_at_full_speed")
async def test_five_hundred_actors_sleep_at_the_same_time(stage: Stage) -> None:
    """Each sleeps 100 ms; all of them together are far from 50 s."""
    compiled = await stage.system.compile(binary("hostile"))
    actors = [
        Actor(await stage.system.load(component("sleeper", str(number)), compiled, limits=SMALL, shutdown="brutal"))
        for number in range(ACTORS)
    ]
    started = time.monotonic()
    answers = await asyncio.gather(*[actor.handle.ask(b"sleep 100", timeout=30) for actor in actors])
    taken = time.monotonic() - started
    assert [b"ok"] * ACTORS == answers
    assert 0.1 <= taken < 3.0


async def cycles(system: ActorSystem, number: int) -> None:
    """Load, ask, unload."""
    compiled = await system.compile(binary("hostile"))
    for _ in range(number):
        handle = await system.load(component("one"), compiled, limits=SMALL)
        assert b"1" == await handle.ask(b"count")
        await system.unload(handle)
    gc.collect()


@pytest.mark.slow
@pytest.mark.usefixtures("_at_full_speed")
async def test_a_thousand_loads_leave_nothing_and_memory_stays_flat() -> None:
    """No task, thread, file or Store; the first loads warm up what is kept."""
    before = Snapshot.take()
    tasks = len(asyncio.all_tasks())
    async with ActorSystem() as system:
        await cycles(system, CYCLES // 5)
        warm = resident_bytes()
        await cycles(system, CYCLES - CYCLES // 5)
        assert resident_bytes() - warm < 16 * MIB
        host: Any = system._parts().host
        assert (0, {}) == (host.inner.live_stores, system.statistics().components)
    assert tasks == len(asyncio.all_tasks())
    assert [] == live_instances("airssys_wasm.runtime.store.GuestStore")
    del host, system
    assert {} == left_behind(before, allowed={"threads"})  # the pool's end with the loop; the fixture looks again
