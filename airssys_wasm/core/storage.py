"""What storage says: keys, how full a component's store is, and its errors (pure).

AirssysError
└─ StorageError                an operation on a component's store did not happen
   ├─ InvalidKey  (ValueError) a key that cannot be one
   ├─ QuotaExceeded            more than the component may keep
   ├─ StorageClaimed           the data under the id are those of other code
   └─ StorageUnavailable       locked, full, read-only, corrupt, closed
"""

from typing import TYPE_CHECKING, Final, Self

import attrs

from airssys_wasm.core.errors import AirssysError

if TYPE_CHECKING:
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

    def __init__(self, component: "ComponentId", needed: "StorageUsage", max_bytes: int, max_keys: int) -> None:
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

    def __init__(self, component: "ComponentId", key_count: int) -> None:
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
    component: "ComponentId", before: StorageUsage, after: StorageUsage, *, max_bytes: int, max_keys: int
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
