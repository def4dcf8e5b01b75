"""Storage as the others see it: the port, how full a component's store is, and its errors (pure).

AirssysError
└─ StorageError                an operation on a component's store did not happen
   ├─ InvalidKey  (ValueError) a key that cannot be one
   ├─ QuotaExceeded            more than the component may keep
   ├─ StorageClaimed           the data under the id are those of other code
   └─ StorageUnavailable       locked, full, read-only, corrupt, closed
"""

from collections.abc import Callable
from typing import Final, Literal, Protocol, Self

import attrs

from airssys_wasm.core.errors import AirssysError
from airssys_wasm.core.ids import ComponentId

MAX_KEY_BYTES: Final = 1024
"""Longest key in bytes of UTF-8, as the contract with guests says."""

_SHOWN_CHARS: Final = 40


class StorageError(AirssysError):
    """An operation on a component's store did not happen; nothing was changed."""


class InvalidKey(StorageError, ValueError):
    """A key is empty, too long, or holds what a key may not hold."""

    def __init__(self, key: str, problem: str) -> None:
        shown = repr(key) if len(key) <= _SHOWN_CHARS else f"{key[:_SHOWN_CHARS]!r}…"
        super().__init__(f"storage key {shown} {problem}")
        self.key, self.problem = key, problem


class QuotaExceeded(StorageError):
    """The write would take the component over `Limits.storage_bytes` or `Limits.storage_keys`."""

    def __init__(self, component: ComponentId, needed: "StorageUsage", max_bytes: int, max_keys: int) -> None:
        over_bytes = needed.used_bytes > max_bytes
        text = (
            f"{needed.used_bytes} bytes; raise Limits.storage_bytes, now {max_bytes}"
            if over_bytes
            else f"{needed.key_count} keys; raise Limits.storage_keys, now {max_keys}"
        )
        super().__init__(f"{component} would keep {text}")
        self.component, self.needed, self.max_bytes, self.max_keys = component, needed, max_bytes, max_keys


class StorageClaimed(StorageError):
    """The id holds data that other code wrote, which nobody said this code may have."""

    def __init__(self, component: ComponentId, key_count: int) -> None:
        super().__init__(
            f"{component} holds {key_count} keys that another component wrote under this id; "
            "erase them, or say that they are to be inherited"
        )
        self.component, self.key_count = component, key_count


class StorageUnavailable(StorageError):
    """The store could not do it; `where` is the file, `reason` says why without naming it."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"storage {where}: {reason}")
        self.where, self.reason = where, reason


@attrs.frozen
class StorageUsage:
    """How much a component keeps: bytes of its keys (UTF-8) plus values, and the number of keys."""

    used_bytes: int = 0
    key_count: int = 0

    def after_write(self, key_bytes: int, old_bytes: int | None, new_bytes: int) -> Self:
        """What it is after a value was written; `old_bytes` is the size of the one it replaces, None for a new key."""
        if old_bytes is not None:
            return attrs.evolve(self, used_bytes=self.used_bytes - old_bytes + new_bytes)
        return attrs.evolve(self, used_bytes=self.used_bytes + key_bytes + new_bytes, key_count=self.key_count + 1)

    def after_delete(self, key_bytes: int, old_bytes: int) -> Self:
        """What it is after a key and its value are gone."""
        return attrs.evolve(self, used_bytes=self.used_bytes - key_bytes - old_bytes, key_count=self.key_count - 1)


def check_quota(
    component: ComponentId, before: StorageUsage, after: StorageUsage, *, max_bytes: int, max_keys: int
) -> None:
    """Let a write pass that stays within the quota, or that does not add to what is over a quota made smaller since.

    Raises:
        QuotaExceeded: It would add beyond one of the two.
    """
    if after.used_bytes > max(max_bytes, before.used_bytes) or after.key_count > max(max_keys, before.key_count):
        raise QuotaExceeded(component, after, max_bytes, max_keys)


def key_bytes(key: str) -> bytes:
    """A key as it is kept: its UTF-8, nothing normalised, so that keys that only look alike stay apart.

    Raises:
        InvalidKey: It is empty, contains a NUL or a lone surrogate, or is over `MAX_KEY_BYTES`.
    """
    if not key:
        raise InvalidKey(key, "is empty")
    if "\0" in key:
        raise InvalidKey(key, "contains a NUL")
    try:
        raw = key.encode()
    except UnicodeEncodeError:
        raise InvalidKey(key, "contains a lone surrogate") from None
    if len(raw) > MAX_KEY_BYTES:
        raise InvalidKey(key, f"has {len(raw)} bytes of UTF-8, {MAX_KEY_BYTES} are the most")
    return raw


AuthoriseStorage = Callable[[ComponentId, Literal["read", "write"]], None]
"""Asks whether a component may use its storage; raises CapabilityDenied or PolicyViolation."""


class Storage(Protocol):
    """Keys and values, each component's own: a SQLite file, or dicts in memory.

    Operations that overlap in time happen one after the other, in the order in which they were called. Each raises
    `StorageUnavailable` when the store cannot do it, and nothing has changed then; a later one may succeed. A key that
    cannot be one raises `InvalidKey`.

    Cancellation: all or nothing. What still waited for its turn is withdrawn; a write that had begun happens.
    """

    async def get(self, component: ComponentId, key: str) -> bytes | None:
        """The value of a key; None when there is no such key."""
        ...

    async def set(self, component: ComponentId, key: str, value: bytes, *, max_bytes: int, max_keys: int) -> None:
        """Write a value, over an older one if there is one; it is kept from the return on.

        Args:
            component: whose key it is.
            key: 1 to 1024 bytes of UTF-8 without a NUL.
            value: any bytes.
            max_bytes: what the component may keep, keys plus values.
            max_keys: how many keys it may have.

        Raises:
            QuotaExceeded: It would add beyond one of the two.
        """
        ...

    async def delete(self, component: ComponentId, key: str) -> None:
        """Remove a key; silent when there is none."""
        ...

    async def exists(self, component: ComponentId, key: str) -> bool:
        """Whether there is such a key."""
        ...

    async def list_keys(self, component: ComponentId, prefix: str | None = None) -> list[str]:
        """The keys that begin with the prefix, each character of which stands for itself, by code point."""
        ...

    async def usage(self, component: ComponentId) -> StorageUsage:
        """How much the component keeps."""
        ...

    async def claim(self, component: ComponentId, code: str, *, inherit: bool = False) -> None:
        """Say which code uses the id from now on; called before a component starts. See `erase` for what it decides.

        Args:
            component: the id.
            code: SHA-256 of the component's binary, in hexadecimal.
            inherit: the code may have what other code wrote under the id.

        Raises:
            StorageClaimed: There are data that other code wrote, and `inherit` is false. They stay as they are.
        """
        ...

    async def erase(self, component: ComponentId) -> None:
        """Remove all that a component keeps, at once or not at all; silent when it keeps nothing.

        Nothing else ever does: data belong to an id together with the code that wrote them, until they are erased.

        | an id is used again | its data |
        |---|---|
        | by the same binary: a restart, unload and load, another process on the same file | are there |
        | by another binary | are refused to it: `claim` raises `StorageClaimed`, so that it does not start |
        | by another binary, with `inherit=True` (an upgrade) | are there, and belong to it from now on |
        | by any binary, after `erase` | are gone |

        Freed space is used again; the file does not get smaller.
        """
        ...

    async def aclose(self) -> None:
        """Let what was called before happen, and give up the file; further calls raise. May be called twice."""
        ...
