"""Storage in dicts: nothing outlives the process, everything else is as in a file."""

from typing import Final, final

import attrs

from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.storage import StorageClaimed, StorageUnavailable, StorageUsage, check_quota, key_bytes

IN_MEMORY: Final = ":memory:"


@attrs.define(eq=False)
class _Owner:
    """What one component keeps."""

    code: str | None = None
    usage: StorageUsage = attrs.field(default=StorageUsage())
    entries: dict[str, bytes] = attrs.field(factory=dict)


@final
class MemoryStorage:
    """Implements the `Storage` port; each operation is one step of the loop, and so cannot be cancelled half way."""

    def __init__(self) -> None:
        self._owners: dict[ComponentId, _Owner] = {}
        self._closed = False

    async def get(self, component: ComponentId, key: str) -> bytes | None:
        """The value of a key; None when there is no such key."""
        key_bytes(key)
        return self._owner(component).entries.get(key)

    async def set(self, component: ComponentId, key: str, value: bytes, *, max_bytes: int, max_keys: int) -> None:
        """Write a value; see `Storage.set`."""
        key_size, owner = len(key_bytes(key)), self._owner(component)
        old = owner.entries.get(key)
        after = owner.usage.after_write(key_size, None if old is None else len(old), len(value))
        check_quota(component, owner.usage, after, max_bytes=max_bytes, max_keys=max_keys)
        owner.entries[key], owner.usage = bytes(value), after
        self._owners[component] = owner

    async def delete(self, component: ComponentId, key: str) -> None:
        """Remove a key; silent when there is none."""
        key_size, owner = len(key_bytes(key)), self._owner(component)
        old = owner.entries.pop(key, None)
        if old is not None:
            owner.usage = owner.usage.after_delete(key_size, len(old))

    async def exists(self, component: ComponentId, key: str) -> bool:
        """Whether there is such a key."""
        key_bytes(key)
        return key in self._owner(component).entries

    async def list_keys(self, component: ComponentId, prefix: str | None = None) -> list[str]:
        """The keys that begin with the prefix, by code point."""
        return sorted(key for key in self._owner(component).entries if key.startswith(prefix or ""))

    async def usage(self, component: ComponentId) -> StorageUsage:
        """How much the component keeps."""
        return self._owner(component).usage

    async def claim(self, component: ComponentId, code: str, *, inherit: bool = False) -> None:
        """Say which code uses the id from now on; see `Storage.claim`."""
        owner = self._owner(component)
        if owner.entries and owner.code != code and not inherit:
            raise StorageClaimed(component, owner.usage.key_count)
        owner.code = code
        self._owners[component] = owner

    async def erase(self, component: ComponentId) -> None:
        """Remove all that a component keeps; see `Storage.erase`."""
        owner = self._owner(component)
        owner.entries.clear()
        owner.usage = StorageUsage()

    async def aclose(self) -> None:
        """Forget everything."""
        self._closed = True
        self._owners.clear()

    def _owner(self, component: ComponentId) -> _Owner:
        """What a component keeps; something empty, not kept yet, when it keeps nothing."""
        if self._closed:
            raise StorageUnavailable(IN_MEMORY, "closed")
        return self._owners.get(component) or _Owner()
