"""What holds for storage in a file and in memory alike: keys and values, and whose they are."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.storage import InvalidKey, Storage, StorageUsage
from airssys_wasm.runtime.storage import MemoryStorage, SqliteStorage, open_storage
from tests.runtime.storages import KEEPER, KINDS, OTHER, opened, put

LOOK_ALIKES = [
    "K",
    "\u212a",
    "k",
    "é",
    "e\u0301",
    "fi",
    "\ufb01",
    "a",
    "\u0430",
    "a ",
    " a",
    "a\u200b",
    "Å",
    "\u212b",
    "ß",
    "ss",
]
BY_CODE_POINT = ["", "\x01", "0", "10", "9", "A", "a", "a\n", "aa", "é", "\ud7ff", "\uffff", "\U00010000", "\U0010ffff"]


@pytest.fixture(params=KINDS)
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    """One of the two, empty."""
    async with opened(request.param, tmp_path) as storage:
        yield storage


async def test_where_the_data_are_decides_which_storage_it_is(tmp_path: Path) -> None:
    """A path is a file, as Path or str; ":memory:" is memory."""
    for where, kind in (
        (":memory:", MemoryStorage),
        (tmp_path / "a.db", SqliteStorage),
        (f"{tmp_path}/b.db", SqliteStorage),
    ):
        storage = await open_storage(where)
        assert kind is type(storage)
        await storage.aclose()
    with pytest.raises(ConfigError, match=r"^storage is neither a path nor"):
        await open_storage("")


@pytest.mark.parametrize("value", [b"", b"\0", bytes(range(256)), b"\xff" * 3_000_000], ids=len)
async def test_a_value_is_read_back_as_it_was_written(storage: Storage, value: bytes) -> None:
    """Any bytes, none included; an empty value is not a missing one."""
    assert await storage.get(KEEPER, "k") is None
    await put(storage, "k", value)
    assert value == await storage.get(KEEPER, "k")
    assert await storage.exists(KEEPER, "k")


async def test_a_later_write_replaces_an_earlier_one(storage: Storage) -> None:
    """And is counted instead of it."""
    for value in (b"first", b"second one", b""):
        await put(storage, "key", value)
        assert value == await storage.get(KEEPER, "key")
        assert StorageUsage(3 + len(value), 1) == await storage.usage(KEEPER)


async def test_a_deleted_key_is_gone_and_a_missing_one_is_no_error(storage: Storage) -> None:
    """Deleting twice is the same as once."""
    await put(storage, "k")
    await put(storage, "stays")
    for _ in range(2):
        await storage.delete(KEEPER, "k")
        assert await storage.get(KEEPER, "k") is None
        assert not await storage.exists(KEEPER, "k")
        assert StorageUsage(6, 1) == await storage.usage(KEEPER)
    await storage.delete(OTHER, "k")


async def test_keys_come_by_code_point(storage: Storage) -> None:
    """Not by UTF-16 unit, not by the rules of a language."""
    keys = [key for key in BY_CODE_POINT if key]
    for key in reversed(keys):
        await put(storage, key)
    assert keys == await storage.list_keys(KEEPER)
    assert keys == await storage.list_keys(KEEPER, "")


@pytest.mark.parametrize("prefix", ["%", "_", "*", "?", "[a", "\\", "'", '"', "a%", "é", "\U0010ffff", "\uffff", "a"])
async def test_each_character_of_a_prefix_stands_for_itself(storage: Storage, prefix: str) -> None:
    """What is a wild card elsewhere is a letter here."""
    others = ["b", "bb", "abc", "A", "ä", "e\u0301", "\ud7ff", "\U00010000"]
    begun = [prefix, f"{prefix}1", prefix * 2, f"{prefix}\U0010ffff"]
    for key in (*others, *begun):
        await put(storage, key)
    expected = sorted({key for key in others + begun if key.startswith(prefix)})
    assert expected == await storage.list_keys(KEEPER, prefix)


@pytest.mark.parametrize("prefix", ["zz", "\0", "a\0", "\ud800", "a" * 5000])
async def test_a_prefix_that_no_key_has_finds_none(storage: Storage, prefix: str) -> None:
    """Also one that no key could have."""
    await put(storage, "a")
    await put(storage, "\U0010ffff")
    assert [] == await storage.list_keys(KEEPER, prefix)


async def test_keys_that_look_alike_are_different_keys(storage: Storage) -> None:
    """Nothing is normalised, folded or trimmed."""
    for key in LOOK_ALIKES:
        await put(storage, key, key.encode())
    assert sorted(LOOK_ALIKES) == await storage.list_keys(KEEPER)
    for key in LOOK_ALIKES:
        assert key.encode() == await storage.get(KEEPER, key)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (ComponentId("a", "b", "0"), ComponentId("a", "b", "00")),
        (ComponentId("a", "b", "0"), ComponentId("A", "b", "0")),
        (ComponentId("a b", "c", "0"), ComponentId("a", "b c", "0")),
        (ComponentId("a-b", "c", "0"), ComponentId("a", "b-c", "0")),
        (ComponentId("é", "b", "0"), ComponentId("e\u0301", "b", "0")),
    ],
)
async def test_no_key_reaches_what_another_component_keeps(
    storage: Storage, mine: ComponentId, theirs: ComponentId
) -> None:
    """A key is a name inside a component's own store, not a path."""
    keys = ["k", "..", "/", "../k", f"../../{theirs}/k", f"{theirs}/k", f"{theirs}", "%", "k' OR '1'='1"]
    for key in keys:
        await put(storage, key, b"secret", theirs)
    before = await storage.usage(theirs)
    for key in keys:
        assert await storage.get(mine, key) is None
        assert not await storage.exists(mine, key)
    assert [] == await storage.list_keys(mine)
    assert StorageUsage() == await storage.usage(mine)
    for key in keys:
        await put(storage, key, b"my own", mine)
        await storage.delete(mine, key)
    await storage.erase(mine)
    assert before == await storage.usage(theirs)
    assert [b"secret"] * len(keys) == [await storage.get(theirs, key) for key in keys]


@pytest.mark.parametrize("key", ["", "\0", "a\0b", "k" * 1025, "é" * 513])
@pytest.mark.parametrize(
    "operation",
    [
        lambda storage, key: storage.get(KEEPER, key),
        lambda storage, key: storage.exists(KEEPER, key),
        lambda storage, key: storage.delete(KEEPER, key),
        lambda storage, key: storage.set(KEEPER, key, b"", max_bytes=9999, max_keys=9),
    ],
    ids=["get", "exists", "delete", "set"],
)
async def test_what_cannot_be_a_key_is_refused(
    storage: Storage, operation: Callable[[Storage, str], Awaitable[object]], key: str
) -> None:
    """By every operation that takes one."""
    with pytest.raises(InvalidKey):
        await operation(storage, key)
    assert StorageUsage() == await storage.usage(KEEPER)
