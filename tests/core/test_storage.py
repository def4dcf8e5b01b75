import pytest

from airssys_wasm.core.errors import AirssysError
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.storage import (
    InvalidKey,
    QuotaExceeded,
    StorageClaimed,
    StorageError,
    StorageUnavailable,
    StorageUsage,
    check_quota,
    key_bytes,
)

KEEPER = ComponentId("demo", "keeper", "0")

CLAIMED = (
    "demo/keeper/0 holds 3 keys that another component wrote under this id; "
    "erase them, or say that they are to be inherited"
)

ERRORS: list[tuple[StorageError, str]] = [
    (InvalidKey("", "is empty"), "storage key '' is empty"),
    (InvalidKey("k" * 41, "is long"), f"storage key '{'k' * 40}'… is long"),
    (
        QuotaExceeded(KEEPER, StorageUsage(11, 1), 10, 5),
        "demo/keeper/0 would keep 11 bytes; raise Limits.storage_bytes, now 10",
    ),
    (
        QuotaExceeded(KEEPER, StorageUsage(9, 6), 10, 5),
        "demo/keeper/0 would keep 6 keys; raise Limits.storage_keys, now 5",
    ),
    (
        StorageClaimed(KEEPER, 3),
        CLAIMED,
    ),
    (StorageUnavailable("data.db", "full"), "storage data.db: full"),
]


@pytest.mark.parametrize(("error", "text"), ERRORS, ids=lambda value: type(value).__name__)
def test_an_error_says_what_happened(error: StorageError, text: str) -> None:
    """The sentence is built from the data that the error keeps."""
    assert text == str(error)
    assert isinstance(error, AirssysError)


def test_an_invalid_key_is_a_value_error() -> None:
    """As a caller of a Python API expects."""
    assert issubclass(InvalidKey, ValueError)


@pytest.mark.parametrize("key", ["k", " ", "..", "/", "a/b", "%", "é", "\U0001f980", "\n", "k" * 1024, "é" * 512])
def test_a_key_is_kept_as_its_utf8(key: str) -> None:
    """Nothing is normalised, and up to 1024 bytes fit."""
    assert key.encode() == key_bytes(key)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("", "is empty"),
        ("\0", "contains a NUL"),
        ("a\0b", "contains a NUL"),
        ("a\ud800", "contains a lone surrogate"),
        ("k" * 1025, "has 1025 bytes of UTF-8, 1024 are the most"),
        ("é" * 513, "has 1026 bytes of UTF-8, 1024 are the most"),
    ],
)
def test_what_cannot_be_a_key_is_refused_with_the_reason(key: str, problem: str) -> None:
    """The length counts bytes, not characters."""
    with pytest.raises(InvalidKey) as caught:
        key_bytes(key)
    assert problem == caught.value.problem


@pytest.mark.parametrize(
    ("before", "after", "fits"),
    [
        (StorageUsage(0, 0), StorageUsage(10, 5), True),
        (StorageUsage(0, 0), StorageUsage(11, 1), False),
        (StorageUsage(0, 0), StorageUsage(1, 6), False),
        (StorageUsage(20, 1), StorageUsage(20, 1), True),
        (StorageUsage(20, 1), StorageUsage(15, 1), True),
        (StorageUsage(20, 1), StorageUsage(21, 1), False),
        (StorageUsage(5, 9), StorageUsage(6, 9), True),
        (StorageUsage(5, 9), StorageUsage(6, 10), False),
    ],
)
def test_a_write_may_not_add_beyond_a_quota(before: StorageUsage, after: StorageUsage, fits: bool) -> None:
    """10 bytes and 5 keys; what was there before a quota was made smaller may change, not grow."""
    if fits:
        check_quota(KEEPER, before, after, max_bytes=10, max_keys=5)
    else:
        with pytest.raises(QuotaExceeded):
            check_quota(KEEPER, before, after, max_bytes=10, max_keys=5)


def test_usage_counts_keys_and_values() -> None:
    """A new key counts with its value, an overwrite counts the difference, a delete takes both away."""
    written = StorageUsage().after_write(3, None, 10)
    assert StorageUsage(13, 1) == written
    assert StorageUsage(7, 1) == written.after_write(3, 10, 4)
    assert StorageUsage() == written.after_delete(3, 10)
