"""`host-services`: log, clock, sleep, and what other components there are."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from airssys_wasm.core.calls import Err, Ok
from airssys_wasm.core.errors import InvalidId
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.wit import WitId, id_from_wit, id_to_wit, timestamp_to_wit

LONGEST_SLEEP: Final = 86_400.0 * 365
"""Seconds; a guest may ask for 2^64 ms, its deadline ends the call long before."""

_WRITTEN_IN_A_TURN: Final = 1000
"""Ids that are written before the loop gets a turn: less than half a millisecond."""


def functions() -> dict[str, Callable[..., Awaitable[Any]]]:
    """The interface's functions by their WIT names."""
    return {
        "log": log,
        "current-time": current_time,
        "current-time-millis": current_time_millis,
        "sleep-millis": sleep_millis,
        "list-components": list_components,
        "get-component-metadata": get_component_metadata,
    }


async def log(state: HostState, level: str, message: str, context: list[tuple[str, str]] | None) -> None:
    """Write a line to the logger `airssys_wasm.guest`, escaped, bounded and rate-limited (`guestlog.py`)."""
    if state.log is not None:
        state.log(level, message, context or ())


async def current_time(_state: HostState) -> tuple[int, int]:
    """Wall clock as a timestamp record."""
    return timestamp_to_wit(time.time_ns())


async def current_time_millis(_state: HostState) -> int:
    """Wall clock in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


async def sleep_millis(_state: HostState, duration_ms: int) -> None:
    """Suspend the guest, not the loop; the call's deadline ends it together with the call."""
    await asyncio.sleep(min(duration_ms / 1000, LONGEST_SLEEP))


async def list_components(state: HostState) -> list[WitId]:
    """The components that the caller may send to."""
    found: list[WitId] = []
    if state.outbox is not None:
        for component in await state.outbox.reachable(state.component_id):
            found.append(id_to_wit(component))
            if not len(found) % _WRITTEN_IN_A_TURN:
                await asyncio.sleep(0)
    return found


async def get_component_metadata(state: HostState, component: WitId) -> Ok | Err:
    """What another component says it is; one that the caller may not send to is as little found as one that is not."""
    try:
        target = id_from_wit(component)
    except InvalidId as exc:
        return Err(("invalid-state", f"not found: {exc}"))
    known = None if state.outbox is None else state.outbox.describe(state.component_id, target)
    if known is None:
        return Err(("invalid-state", f"not found: {target}"))
    return Ok((component, known.name, known.version, known.health))
