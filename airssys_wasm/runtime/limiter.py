"""What a Store may use: memory and tables at once, fuel and time for each call.

| limit | how | at instantiation | in a call |
|---|---|---|---|
| memory, tables | wasmtime's store limiter | the start fails | `grow` answers -1, the guest decides |
| fuel | refilled before each call; only on the metered engine | the start fails | `FuelExhausted` |
| time | the driver's deadline, host waits included | `DeadlineExceeded` | `DeadlineExceeded` |
"""

import ctypes
from typing import Final

from airssys_wasm.core.limits import Limits
from airssys_wasm.runtime.abi import capi

MAX_CORE_INSTANCES: Final = 256
"""A component is made of several core instances: some ten for a Python guest."""

_EXTENSION_INSTANCES: Final = 1
"""The appended module of the byte path. It has a memory too, which no code of the guest can reach: it grows to
`frame.room_for` at most."""

MAX_TABLES: Final = 64

_MOST_MEMORIES: Final = 10_000
"""As many as wasmtime gives a Store that nobody limits."""


def limit_store(store: int, limits: Limits, *, extended: bool = False) -> None:
    """Set memory and table bounds of a new Store; wasmtime holds each memory and table to them by itself."""
    capi.store_limiter(
        store,
        limits.share_bytes,
        limits.table_elements,
        MAX_CORE_INSTANCES + _EXTENSION_INSTANCES * extended,
        MAX_TABLES,
        min(limits.max_memories, _MOST_MEMORIES) + extended,
    )


def refill(context: int, max_fuel: int) -> None:
    """Full fuel for the next call."""
    capi.take_error(capi.context_set_fuel(context, max_fuel))


def burnt(context: int, max_fuel: int) -> int:
    """The fuel that the call which has just ended took of so much."""
    left = ctypes.c_uint64()
    capi.take_error(capi.context_get_fuel(context, ctypes.addressof(left)))
    return max_fuel - left.value
