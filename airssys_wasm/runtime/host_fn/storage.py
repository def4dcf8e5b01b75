"""`storage`: not provided yet, and every function says so to the guest instead of pretending."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.abi.values import Err
from airssys_wasm.runtime.contract import IMPORTS, STORAGE

_UNAVAILABLE: Final = Err(("io-error", "storage is not available in this version of the runtime"))


def functions() -> dict[str, Callable[..., Awaitable[Any]]]:
    """The interface's functions by their WIT names."""
    return dict.fromkeys(IMPORTS[STORAGE], unavailable)


async def unavailable(_state: HostState, *_arguments: object) -> Err:
    """io-error, with the reason."""
    return _UNAVAILABLE
