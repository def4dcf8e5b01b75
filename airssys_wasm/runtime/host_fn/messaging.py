"""`host-messaging`: what a guest says to others. Answers follow CONTRACT's table of host imports."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from airssys_wasm.core.errors import AirssysError, InvalidId, TargetNotFound
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.abi.values import Err, Ok
from airssys_wasm.runtime.wit import WitId, id_from_wit, id_to_wit, messaging_error

BROADCAST_SECONDS: Final = 1.0
"""How long a broadcast waits for room, all its targets together."""

_NAMED_FAILURES: Final = 10
"""Failed targets that a broadcast's error names; the rest is a number."""

_UNAVAILABLE: Final = Err(("delivery-failed", "requests are not available in this version of the runtime"))


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
    receivers, failed = _readable(targets)
    try:
        if state.outbox is None:
            failed += map(str, receivers)
        else:
            missed = await state.outbox.broadcast(state.component_id, receivers, payload, wait=BROADCAST_SECONDS)
            failed += map(str, missed)
    except AirssysError as exc:
        return Err(messaging_error(exc))
    return Err(("delivery-failed", _failure_text(failed, len(targets)))) if failed else Ok()


async def self_id(state: HostState) -> WitId:
    """The caller's own id."""
    return id_to_wit(state.component_id)


async def request(_state: HostState, _target: WitId, _payload: bytes, _timeout_ms: int) -> Err:
    """Requests are not carried yet; the guest is told so."""
    return _UNAVAILABLE


async def cancel_request(_state: HostState, _request_id: str) -> Err:
    """Requests are not carried yet; the guest is told so."""
    return _UNAVAILABLE


def _readable(targets: Sequence[WitId]) -> tuple[list[ComponentId], list[str]]:
    """Split targets into ids and the texts of those that cannot be one."""
    receivers, failed = [], []
    for target in targets:
        try:
            receivers.append(id_from_wit(target))
        except InvalidId:
            failed.append(repr("/".join(target)))
    return receivers, failed


def _failure_text(failed: list[str], total: int) -> str:
    named = ", ".join(failed[:_NAMED_FAILURES])
    rest = len(failed) - _NAMED_FAILURES
    return f"{len(failed)} of {total} targets failed: {named}" + (f" and {rest} more" if rest > 0 else "")
