"""Both storages beside a dict that knows nothing of files, transactions or indexes."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from operator import methodcaller
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from airssys_wasm.core.errors import AirssysError
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.storage import InvalidKey, QuotaExceeded, Storage, StorageClaimed, StorageUsage
from airssys_wasm.runtime.storage import open_storage

COMPONENTS = st.sampled_from([ComponentId("a", "b", instance) for instance in ("0", "00", "é")])
ODD_KEYS = ["", "\0", "k\0", "%", "_", "*", "a", "a%", "é", "e\u0301", "\uffff", "\U00010000", "..", "k" * 1025]
KEYS = st.sampled_from(ODD_KEYS) | st.text(st.sampled_from("ab%_é\U0010ffff"), max_size=3)
VALUES = st.binary(max_size=12) | st.sampled_from([b"x" * 50, b"y" * 200])
MAX_BYTES, MAX_KEYS = 300, 6

Kept = dict[ComponentId, dict[str, bytes]]


class StorageMachine(RuleBasedStateMachine):
    """Each step is done by the file, by the memory and by the model, and all three say the same."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "storage.db"
        self.storages = [self.runner.run(open_storage(where)) for where in (":memory:", self.path)]
        self.kept: Kept = {}
        self.codes: dict[ComponentId, str] = {}

    def teardown(self) -> None:
        """Close all that was opened."""
        for storage in self.storages:
            self.runner.run(storage.aclose())
        self.runner.close()
        self.folder.cleanup()

    def both(self, operation: Callable[[Storage], Awaitable[Any]], expected: object) -> None:
        """Do it with both; an expected class is that of the error."""
        for storage in self.storages:
            assert expected == self.runner.run(outcome(operation(storage))), storage

    @rule(component=COMPONENTS, key=KEYS, value=VALUES)
    def write(self, component: ComponentId, key: str, value: bytes) -> None:
        """Within the quota, or not at all."""
        after = {**self.kept.get(component, {}), key: value}
        expected: type[AirssysError] | None = None if is_key(key) else InvalidKey
        if expected is None and (size(after) > MAX_BYTES or len(after) > MAX_KEYS):
            expected = QuotaExceeded
        if expected is None:
            self.kept[component] = after
        self.both(lambda s: s.set(component, key, value, max_bytes=MAX_BYTES, max_keys=MAX_KEYS), expected)

    @rule(component=COMPONENTS, key=KEYS)
    def delete(self, component: ComponentId, key: str) -> None:
        """There or not."""
        self.kept.get(component, {}).pop(key, None)
        self.both(lambda s: s.delete(component, key), None if is_key(key) else InvalidKey)

    @rule(component=COMPONENTS, key=KEYS)
    def read(self, component: ComponentId, key: str) -> None:
        """The value, and whether there is one."""
        kept = self.kept.get(component, {})
        self.both(lambda s: s.get(component, key), kept.get(key) if is_key(key) else InvalidKey)
        self.both(lambda s: s.exists(component, key), key in kept if is_key(key) else InvalidKey)

    @rule(component=COMPONENTS, prefix=st.none() | KEYS)
    def list_keys(self, component: ComponentId, prefix: str | None) -> None:
        """Those that begin with the prefix."""
        kept = self.kept.get(component, {})
        self.both(lambda s: s.list_keys(component, prefix), sorted(k for k in kept if k.startswith(prefix or "")))

    @rule(component=COMPONENTS)
    def erase(self, component: ComponentId) -> None:
        """Everything goes but the claim."""
        self.kept.pop(component, None)
        self.both(lambda s: s.erase(component), None)

    @rule(component=COMPONENTS, code=st.sampled_from(["c1", "c2"]), inherit=st.booleans())
    def claim(self, component: ComponentId, code: str, inherit: bool) -> None:
        """Free, one's own, or given."""
        free = not self.kept.get(component) or self.codes.get(component) == code or inherit
        if free:
            self.codes[component] = code
        self.both(lambda s: s.claim(component, code, inherit=inherit), None if free else StorageClaimed)

    @rule()
    def reopen(self) -> None:
        """The file keeps all of it."""
        self.runner.run(self.storages[1].aclose())
        self.storages[1] = self.runner.run(open_storage(self.path))

    @invariant()
    def usage_is_what_is_there(self) -> None:
        """For each component, after each step."""
        for component, kept in self.kept.items():
            self.both(methodcaller("usage", component), StorageUsage(size(kept), len(kept)))


async def outcome(operation: Awaitable[Any]) -> object:
    """What it answers, or the class of what it raises."""
    try:
        return await operation
    except AirssysError as exc:
        return type(exc)


def is_key(key: str) -> bool:
    """The contract's words for it."""
    return bool(key) and "\0" not in key and len(key.encode()) <= 1024


def size(entries: dict[str, bytes]) -> int:
    """Bytes of keys plus values."""
    return sum(len(key.encode()) + len(value) for key, value in entries.items())


TestStorageMachine = StorageMachine.TestCase
TestStorageMachine.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
