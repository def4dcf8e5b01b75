"""A broadcast to more targets than one turn of the loop is long enough for."""

import asyncio

from airssys_wasm.core.calls import Err
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.host_fn.messaging import broadcast
from tests.runtime.guests import GUEST


async def test_reading_many_targets_gives_the_loop_its_turns() -> None:
    """Some microseconds each are seconds for the million that a guest may name."""
    turns, ended = 0, False

    async def count() -> None:
        nonlocal turns
        while not ended:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    targets = [("demo", "", "0") if number % 2 else ("demo", "other", str(number)) for number in range(10_000)]
    answer = await broadcast(HostState(GUEST), targets, b"")
    ended = True
    await counting
    assert isinstance(answer, Err)
    assert "delivery-failed" == answer.value[0]
    assert answer.value[1].startswith("10000 of 10000 targets failed: 'demo//0', 'demo//0'")
    assert answer.value[1].endswith("and 9990 more")
    assert turns > 30
