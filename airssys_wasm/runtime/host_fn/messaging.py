"""`host-messaging`: what a guest says to others. Answers follow CONTRACT's table of host imports."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from airssys_wasm.core.calls import Err, Ok
from airssys_wasm.core.errors import AirssysError, InvalidId, TargetNotFound
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.wit import WitId, id_from_wit, id_to_wit, messaging_error

BROADCAST_SECONDS: Final = 1.0
"""How long a broadcast waits for room, all its targets together."""

_NAMED_FAILURES: Final = 10
"""Failed targets that a broadcast's error names; the rest is a number."""

_READ_IN_A_TURN: Final = 256
"""Targets that are read before the loop gets a turn: about half a millisecond."""

LONGEST_TIMEOUT: Final = 86_400.0 * 365
"""Seconds; a guest may ask for 2^64 ms."""


def functions() -> dict[str, Callable[..., Awaitable[Any]]]:
    """The interface's functions by their WIT names."""
    return {
        "send": send,
        "request": request,
        "cancel-request": cancel_request,
        "broadcast": broadcast,
        "self-id": self_id,
    }


async def send(state: HostState, target: WitId, payload: bytes) -> Ok | Err:
    """Authorise, resolve, offer; a full mailbox is waited for, up to `Limits.send_wait`."""
    try:
        receiver = id_from_wit(target)
        if state.outbox is None:
            raise TargetNotFound(receiver)
        await state.outbox.send(state.component_id, receiver, payload, wait=state.limits.send_wait)
    except AirssysError as exc:
        return Err(messaging_error(exc))
    return Ok()


async def broadcast(state: HostState, targets: list[WitId], payload: bytes) -> Ok | Err:
    """Try every target, going on past failures; the error names those that failed."""
    receivers, failed = await _readable(targets)
    try:
        if state.outbox is None:
            failed += receivers
        else:
            failed += await state.outbox.broadcast(state.component_id, receivers, payload, wait=BROADCAST_SECONDS)
    except AirssysError as exc:
        return Err(messaging_error(exc))
    return Err(("delivery-failed", _failure_text(failed, len(targets)))) if failed else Ok()


async def self_id(state: HostState) -> WitId:
    """The caller's own id."""
    return id_to_wit(state.component_id)


async def request(state: HostState, target: WitId, payload: bytes, timeout_ms: int) -> Ok | Err:
    """As send; the answer comes to `handle-callback` with the correlation id that is returned here."""
    try:
        receiver = id_from_wit(target)
        if state.outbox is None:
            raise TargetNotFound(receiver)
        seconds = min(timeout_ms / 1000, LONGEST_TIMEOUT)
        return Ok(await state.outbox.request(state, receiver, payload, timeout=seconds))
    except AirssysError as exc:
        return Err(messaging_error(exc))


async def cancel_request(state: HostState, request_id: str) -> Ok:
    """Forget a request of this very instance; ok also when there is none."""
    if state.outbox is not None:
        state.outbox.cancel_request(state, request_id)
    return Ok()


async def _readable(targets: Sequence[WitId]) -> tuple[list[ComponentId], list[ComponentId | str]]:
    """Split targets into ids and the texts of those that cannot be one; a guest may name a million."""
    receivers: list[ComponentId] = []
    failed: list[ComponentId | str] = []
    for number, target in enumerate(targets, 1):
        if not number % _READ_IN_A_TURN:
            await asyncio.sleep(0)
        try:
            receivers.append(id_from_wit(target))
        except InvalidId:
            failed.append(repr("/".join(target)))
    return receivers, failed


def _failure_text(failed: Sequence[ComponentId | str], total: int) -> str:
    named = ", ".join(map(str, failed[:_NAMED_FAILURES]))
    rest = len(failed) - _NAMED_FAILURES
    return f"{len(failed)} of {total} targets failed: {named}" + (f" and {rest} more" if rest > 0 else "")
