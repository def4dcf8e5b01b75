"""Systems for tests, which are left however their guests behave."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from airssys_wasm.system.system import ActorSystem
from airssys_wasm.testing.clock import ManualClock
from airssys_wasm.testing.guests import ScriptedHost

_PAUSE_SECONDS: Final = 0.001  # for what a thread has to do, such as closing the storage


@asynccontextmanager
async def scripted_system(
    host: ScriptedHost | None = None, clock: ManualClock | None = None, **settings: Any
) -> AsyncIterator[ActorSystem]:
    """A system of scripted guests whose time a test moves by hand.

    Leaving it moves the clock on for as long as guests take to stop: one that hangs is stopped by its grace period.

    Args:
        host: makes the guests; one with the clock by default.
        clock: the time of system and guests; must be the host's.
        settings: of `ActorSystem` besides.
    """
    clock = clock or ManualClock()
    system = ActorSystem(host=host or ScriptedHost(clock=clock), clock=clock, **settings)
    await system.__aenter__()
    try:
        yield system
    except BaseException:
        await system.__aexit__(*sys.exc_info())
        raise
    leaving = asyncio.create_task(system.__aexit__(None, None, None))
    while not leaving.done():
        await asyncio.sleep(_PAUSE_SECONDS)
        await clock.advance_to_next()
    await leaving
