"""What holds for storage in a file and in memory alike: quotas, order, erasing, claims, the end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.storage import QuotaExceeded, Storage, StorageClaimed, StorageUnavailable, StorageUsage
from tests.runtime.storages import KEEPER, KINDS, OTHER, opened, put


@pytest.fixture(params=KINDS)
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    """One of the two, empty."""
    async with opened(request.param, tmp_path) as storage:
        yield storage


async def test_a_quota_of_bytes_is_exact(storage: Storage) -> None:
    """Keys in UTF-8 plus values: the last byte fits, one more changes nothing."""
    await storage.set(KEEPER, "é", b"1234567", max_bytes=20, max_keys=9)
    await storage.set(KEEPER, "k", b"0123456789", max_bytes=20, max_keys=9)
    assert StorageUsage(20, 2) == await storage.usage(KEEPER)
    for key, value in (("k", b"0123456789+"), ("x", b""), ("é", b"12345678")):
        with pytest.raises(QuotaExceeded):
            await storage.set(KEEPER, key, value, max_bytes=20, max_keys=9)
    assert StorageUsage(20, 2) == await storage.usage(KEEPER)
    assert b"0123456789" == await storage.get(KEEPER, "k")
    assert ["k", "é"] == await storage.list_keys(KEEPER)


async def test_a_quota_of_keys_is_exact(storage: Storage) -> None:
    """A full store still takes overwrites, and a delete makes room."""
    for key in "ab":
        await storage.set(KEEPER, key, b"", max_bytes=99, max_keys=2)
    with pytest.raises(QuotaExceeded):
        await storage.set(KEEPER, "c", b"", max_bytes=99, max_keys=2)
    await storage.set(KEEPER, "a", b"more", max_bytes=99, max_keys=2)
    await storage.delete(KEEPER, "b")
    await storage.set(KEEPER, "c", b"", max_bytes=99, max_keys=2)
    assert ["a", "c"] == await storage.list_keys(KEEPER)


async def test_a_quota_made_smaller_keeps_what_is_there_and_stops_growth(storage: Storage) -> None:
    """A component over its new quota can read, shrink and delete."""
    await put(storage, "k", b"x" * 100)
    with pytest.raises(QuotaExceeded):
        await storage.set(KEEPER, "k", b"x" * 101, max_bytes=50, max_keys=1)
    await storage.set(KEEPER, "k", b"x" * 90, max_bytes=50, max_keys=1)
    assert StorageUsage(91, 1) == await storage.usage(KEEPER)


async def test_writers_at_the_same_time_share_a_quota_exactly(storage: Storage) -> None:
    """Twenty race for room for seven: seven are told that they have it, and they do."""
    writes = (storage.set(KEEPER, f"{n:02}", b"x" * 8, max_bytes=70, max_keys=99) for n in range(20))
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    written = [f"{n:02}" for n, outcome in enumerate(outcomes) if outcome is None]
    assert 7 == len(written)
    assert written == await storage.list_keys(KEEPER)
    assert {type(None), QuotaExceeded} == {type(outcome) for outcome in outcomes}


async def test_operations_that_overlap_happen_in_the_order_of_their_calls(storage: Storage) -> None:
    """A read that was called after a write sees it, awaited or not."""
    outcomes = await asyncio.gather(
        storage.get(KEEPER, "k"),
        put(storage, "k", b"1"),
        storage.get(KEEPER, "k"),
        put(storage, "k", b"2"),
        storage.delete(KEEPER, "k"),
        storage.exists(KEEPER, "k"),
        put(storage, "k", b"3"),
        storage.usage(KEEPER),
    )
    assert [None, None, b"1", None, None, False, None, StorageUsage(2, 1)] == outcomes


async def test_fifty_components_at_their_quota_are_never_over_it_and_lose_nothing(storage: Storage) -> None:
    """Six writers each, all at the same time, every answer checked against what is there afterwards."""

    async def fill(component: ComponentId, writer: int, written: dict[str, bytes]) -> None:
        for n in range(12):
            key, value = f"{writer}/{n}", bytes([writer]) * (7 * n % 40)
            try:
                await storage.set(component, key, value, max_bytes=400, max_keys=25)
            except QuotaExceeded:
                await storage.delete(component, f"{writer}/{n // 2}")
                written.pop(f"{writer}/{n // 2}", None)
            else:
                written[key] = value

    components = {ComponentId("demo", "filler", str(n)): dict[str, bytes]() for n in range(50)}
    await asyncio.gather(*(fill(id_, writer, kept) for id_, kept in components.items() for writer in range(6)))
    for component, expected in components.items():
        kept = {key: await storage.get(component, key) for key in await storage.list_keys(component)}
        assert expected == kept
        size = sum(len(key) + len(value) for key, value in expected.items())
        assert StorageUsage(size, len(expected)) == await storage.usage(component)
        assert size <= 400
        assert len(kept) <= 25


async def test_erase_takes_one_component_s_data_and_nothing_else(storage: Storage) -> None:
    """The store can be used again at once; erasing nothing is no error."""
    for component in (KEEPER, OTHER):
        await put(storage, "k", b"value", component)
    for _ in range(2):
        await storage.erase(KEEPER)
        assert StorageUsage() == await storage.usage(KEEPER)
        assert await storage.get(KEEPER, "k") is None
    assert b"value" == await storage.get(OTHER, "k")
    await storage.set(KEEPER, "k", b"new", max_bytes=4, max_keys=1)
    assert ["k"] == await storage.list_keys(KEEPER)


async def test_the_same_code_finds_its_data_again(storage: Storage) -> None:
    """A restart, or an unload and a load."""
    for _ in range(2):
        await storage.claim(KEEPER, "c0de")
        await put(storage, "k")
    assert b"v" == await storage.get(KEEPER, "k")


async def test_other_code_gets_the_data_of_an_id_only_when_that_is_said(storage: Storage) -> None:
    """Neither the newcomer reads them, nor are they lost; inherited ones are the newcomer's from then on."""
    await storage.claim(KEEPER, "old")
    await put(storage, "k")
    with pytest.raises(StorageClaimed):
        await storage.claim(KEEPER, "new")
    await storage.claim(KEEPER, "old")
    assert b"v" == await storage.get(KEEPER, "k")
    await storage.claim(KEEPER, "new", inherit=True)
    await storage.claim(KEEPER, "new")
    with pytest.raises(StorageClaimed):
        await storage.claim(KEEPER, "old")


async def test_data_that_no_code_claimed_are_not_handed_on_either(storage: Storage) -> None:
    """Nobody knows whose they are."""
    await put(storage, "k")
    with pytest.raises(StorageClaimed):
        await storage.claim(KEEPER, "new")


@pytest.mark.parametrize("emptied", [False, True])
async def test_an_id_without_data_is_free_for_any_code(storage: Storage, emptied: bool) -> None:
    """Never written, or erased; what is written after that belongs to the newcomer."""
    await storage.claim(KEEPER, "old")
    if emptied:
        await put(storage, "k")
        await storage.erase(KEEPER)
    await storage.claim(KEEPER, "new")
    await put(storage, "k")
    with pytest.raises(StorageClaimed):
        await storage.claim(KEEPER, "old")


async def test_an_erased_component_that_goes_on_keeps_its_claim(storage: Storage) -> None:
    """Its later data are no more free for others than the earlier ones."""
    await storage.claim(KEEPER, "old")
    await storage.erase(KEEPER)
    await put(storage, "k")
    await storage.claim(KEEPER, "old")
    with pytest.raises(StorageClaimed):
        await storage.claim(KEEPER, "new")


async def test_a_closed_storage_refuses_and_closes_twice(storage: Storage) -> None:
    """What was called before still happens."""
    late = asyncio.gather(put(storage, "a"), put(storage, "b"))
    await asyncio.sleep(0)
    await storage.aclose()
    await late
    with pytest.raises(StorageUnavailable, match=r"closed$"):
        await storage.get(KEEPER, "a")
    await storage.aclose()
