"""`storage`: a component's own keys and values. Answers follow CONTRACT's table of host imports.

In this order: is it allowed, can the key be one, then the store; the first that says no is the answer.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal

from airssys_wasm.core.calls import Err, Ok
from airssys_wasm.core.errors import AirssysError
from airssys_wasm.core.ports import HostState
from airssys_wasm.core.storage import Storage, key_bytes
from airssys_wasm.runtime.wit import storage_error

MOST_HANDED_OVER: Final = 2_700_000
"""Largest value in bytes that `get` answers: wasmtime copies at most 128 MiB a call, at 48 bytes an element, and would
end the guest for more."""

_DENIED: Final = Err(("io-error", "permission denied"))
_NOT_HERE: Final = Err(("io-error", "storage is not available here"))


def functions() -> dict[str, Callable[..., Awaitable[Any]]]:
    """The interface's functions by their WIT names."""
    return {
        "get": get,
        "set": set_value,
        "delete": delete,
        "exists": exists,
        "list-keys": list_keys,
        "usage": usage,
    }


async def get(state: HostState, key: str) -> Ok | Err:
    """The value of a key; ok(none) when there is no such key."""
    answer = await _answer(state, "read", key, lambda storage: storage.get(state.component_id, key))
    if isinstance(answer.value, bytes) and len(answer.value) > MOST_HANDED_OVER:
        problem = f"the value has {len(answer.value)} bytes, {MOST_HANDED_OVER} can be handed over"
        return Err(("io-error", problem))
    return answer


async def set_value(state: HostState, key: str, value: bytes) -> Ok | Err:
    """Write a value, within the component's quota."""
    limits = state.limits
    max_bytes, max_keys = limits.storage_bytes, limits.storage_keys
    return await _answer(
        state,
        "write",
        key,
        lambda storage: storage.set(state.component_id, key, value, max_bytes=max_bytes, max_keys=max_keys),
    )


async def delete(state: HostState, key: str) -> Ok | Err:
    """Remove a key; ok also when it was not there."""
    return await _answer(state, "write", key, lambda storage: storage.delete(state.component_id, key))


async def exists(state: HostState, key: str) -> Ok | Err:
    """Whether there is such a key."""
    return await _answer(state, "read", key, lambda storage: storage.exists(state.component_id, key))


async def list_keys(state: HostState, prefix: str | None) -> Ok | Err:
    """The keys that begin with the prefix, or all; one that no key can begin with matches none."""
    return await _answer(state, "read", None, lambda storage: storage.list_keys(state.component_id, prefix))


async def usage(state: HostState) -> Ok | Err:
    """A storage-usage record; the quota is the component's limit."""

    async def look(storage: Storage) -> tuple[int, int, int]:
        used = await storage.usage(state.component_id)
        return (used.used_bytes, state.limits.storage_bytes, used.key_count)

    return await _answer(state, "read", None, look)


async def _answer(
    state: HostState, action: Literal["read", "write"], key: str | None, work: Callable[[Storage], Awaitable[Any]]
) -> Ok | Err:
    if state.authorise_storage is None:
        return _DENIED
    try:
        state.authorise_storage(state.component_id, action)
        if key is not None:
            key_bytes(key)
        if state.storage is None:
            return _NOT_HERE
        return Ok(await work(state.storage))
    except AirssysError as exc:
        return Err(storage_error(exc))
