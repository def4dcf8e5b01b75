"""What one component may use (pure)."""

import math
from typing import Any, Final

import attrs

from airssys_wasm.core.errors import ConfigError

KIB: Final = 1024
MIB: Final = 1024 * KIB

VALUE_PATH_MAX_PAYLOAD_BYTES: Final = 2 * MIB
"""Largest payload as component values: wasmtime copies at most 128 MiB a call at 48 bytes an element."""

BYTE_PATH_MAX_PAYLOAD_BYTES: Final = 64 * MIB
"""Largest payload as one block: wasmtime copies at most 128 MiB a call, and in 7-bit planes it is a seventh longer."""

_INT64_MAX: Final = 2**63 - 1
"""Limits cross a C API of signed 64-bit numbers."""


def _check_number(_instance: "Limits", attribute: "attrs.Attribute[Any]", value: object) -> None:
    whole = attribute.name not in {"max_execution_time", "send_wait"}
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise ConfigError(attribute.name, value, f"is not {'a whole number' if whole else 'a number'}")
    if not math.isfinite(value):
        raise ConfigError(attribute.name, value, "is not finite")
    if value <= 0:
        raise ConfigError(attribute.name, value, "is not positive")
    if value > _INT64_MAX:
        raise ConfigError(attribute.name, value, "is larger than 2**63 - 1")


@attrs.frozen(kw_only=True)
class Limits:
    """The limits of one component, checked at construction in the order of the fields.

    | field | unit | what happens beyond it |
    |---|---|---|
    | max_memory_bytes | bytes; to 4 MiB: few memory maps | `memory.grow` answers -1; at instantiation the load fails |
    | max_execution_time | seconds of wall clock a call, host waits included | `DeadlineExceeded`, a crash |
    | max_fuel | wasmtime fuel a call, all of it the guest's; None: not metered | `FuelExhausted`, a crash |
    | mailbox_capacity | messages waiting | senders wait |
    | mailbox_bytes | bytes waiting | senders wait |
    | max_payload_bytes | bytes of one payload, either way; 64 KiB where its key is in JSON | `PayloadTooLarge` |
    | max_pending_requests | requests without an answer | the guest gets queue-full |
    | send_wait | seconds that a guest's send waits for room | the guest gets queue-full |
    | storage_bytes, storage_keys | keys plus values; number of keys | the guest gets quota-exceeded |
    | table_elements | elements of all tables | `table.grow` answers -1; at instantiation the load fails |
    | max_component_bytes | size of the binary | `InvalidComponent` before compiling |
    | max_memories | memories, of a component composed of several; `max_memory_bytes` is shared out | the load fails |

    More than 2 MiB of payload is possible only where payloads cross as one block: not with `max_fuel`, not with less
    memory than a payload and a seventh need, and not for components of an unusual shape (`airssys-wasm inspect`). That
    block lies in memory beside the guest's, which ends at a seventh more than `max_payload_bytes` and some pages.

    Raises:
        ConfigError: A limit is zero, negative, NaN, infinite, a bool or not a number. Only max_fuel may be None.
    """

    max_memory_bytes: int = attrs.field(default=64 * MIB, validator=_check_number)
    max_execution_time: float = attrs.field(default=30.0, validator=_check_number)
    max_fuel: int | None = attrs.field(default=None, validator=attrs.validators.optional(_check_number))
    mailbox_capacity: int = attrs.field(default=1024, validator=_check_number)
    mailbox_bytes: int = attrs.field(default=64 * MIB, validator=_check_number)
    max_payload_bytes: int = attrs.field(default=MIB, validator=_check_number)
    max_pending_requests: int = attrs.field(default=256, validator=_check_number)
    send_wait: float = attrs.field(default=1.0, validator=_check_number)
    storage_bytes: int = attrs.field(default=16 * MIB, validator=_check_number)
    storage_keys: int = attrs.field(default=10_000, validator=_check_number)
    table_elements: int = attrs.field(default=10_000, validator=_check_number)
    max_component_bytes: int = attrs.field(default=128 * MIB, validator=_check_number)
    max_memories: int = attrs.field(default=1, validator=_check_number)

    @property
    def share_bytes(self) -> int:
        """How far each memory may grow, so that all of them together stay within `max_memory_bytes`."""
        return self.max_memory_bytes // self.max_memories
