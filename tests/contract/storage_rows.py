"""The rows of `storage`."""

from typing import Final

from airssys_wasm import Capabilities, Limits
from tests.contract.rows import Row
from tests.contract.stage import NOTHING

READ: Final = Capabilities(storage=["read"])
WRITE: Final = Capabilities(storage=["write"])
DENIED: Final = "err io-error: permission denied"
EMPTY: Final = "err invalid-key: storage key '' is empty"
NUL: Final = r"err invalid-key: storage key 'a\x00b' contains a NUL"
LONG: Final = "err invalid-key: storage key '" + "k" * 40 + "'… has 1025 bytes of UTF-8, 1024 are the most"
LONGEST: Final = "k" * 1024

READS: Final = {
    "get": "storage-get {}",
    "exists": "storage-exists {}",
    "list-keys": "storage-list",
    "usage": "storage-usage",
}
WRITES: Final = {"set": "storage-set {} v", "delete": "storage-delete {}"}
KEYED: Final = {name: text for name, text in (READS | WRITES).items() if "{}" in text}

ROWS: Final = (
    Row(
        covers=("storage.get: ok", "storage.set: ok"),
        behaviour="a value is what was set last, an empty one included",
        steps=(
            ("asker", "storage-get k", "ok none"),
            ("asker", "storage-set k one", "ok"),
            ("asker", "storage-get k", "ok some one"),
            ("asker", "storage-set k two", "ok"),
            ("asker", "storage-get k", "ok some two"),
            ("asker", "storage-set k ", "ok"),
            ("asker", "storage-get k", "ok some "),
        ),
    ),
    Row(
        covers=("storage.delete: ok", "storage.exists: ok"),
        behaviour="a key is there until it is deleted, and may be deleted again",
        steps=(
            ("asker", "storage-exists k", "ok false"),
            ("asker", "storage-set k v", "ok"),
            ("asker", "storage-exists k", "ok true"),
            ("asker", "storage-delete k", "ok"),
            ("asker", "storage-delete k", "ok"),
            ("asker", "storage-exists k", "ok false"),
        ),
    ),
    Row(
        covers=("storage.list-keys: ok",),
        behaviour="by prefix, each character of which stands for itself",
        steps=(
            ("asker", "storage-list", "ok"),
            *(("asker", f"storage-set {key} v", "ok") for key in ("a%", "ab", "a_", "é", "A")),
            ("asker", "storage-list", "ok\nA\na%\na_\nab\né"),
            ("asker", "storage-list a", "ok\na%\na_\nab"),
            ("asker", "storage-list a%", "ok\na%"),
            ("asker", "storage-list a_", "ok\na_"),
            ("asker", "storage-list é", "ok\né"),
            ("asker", "storage-list zz", "ok"),
        ),
    ),
    Row(
        covers=("storage.usage: ok",),
        behaviour="bytes of keys and values, the quota, the number of keys",
        limits=Limits(storage_bytes=100),
        steps=(
            ("asker", "storage-usage", "ok 0 100 0"),
            ("asker", "storage-set é 1234", "ok"),
            ("asker", "storage-set k ", "ok"),
            ("asker", "storage-usage", "ok 7 100 2"),
            ("asker", "storage-delete é", "ok"),
            ("asker", "storage-usage", "ok 1 100 1"),
        ),
    ),
    Row(
        covers=("storage.set: quota-exceeded",),
        behaviour="over its bytes nothing is changed, up to its bytes all is well",
        limits=Limits(storage_bytes=10),
        steps=(
            ("asker", "storage-set k old", "ok"),
            ("asker", "storage-fill k 10", "err quota-exceeded"),
            ("asker", "storage-get k", "ok some old"),
            ("asker", "storage-usage", "ok 4 10 1"),
            ("asker", "storage-fill k 9", "ok"),
            ("asker", "storage-set x ", "err quota-exceeded"),
            ("asker", "storage-exists x", "ok false"),
            ("asker", "storage-usage", "ok 10 10 1"),
        ),
    ),
    Row(
        covers=("storage.set: quota-exceeded",),
        behaviour="over its number of keys",
        limits=Limits(storage_keys=1),
        steps=(
            ("asker", "storage-set k v", "ok"),
            ("asker", "storage-set x v", "err quota-exceeded"),
            ("asker", "storage-set k w", "ok"),
            ("asker", "storage-list", "ok\nk"),
        ),
    ),
    Row(
        covers=("storage.get: ok", "storage.set: ok", "storage.list-keys: ok"),
        behaviour="each component sees its own keys only",
        steps=(
            ("asker", "storage-set k mine", "ok"),
            ("target", "storage-get k", "ok none"),
            ("target", "storage-set k theirs", "ok"),
            ("asker", "storage-get k", "ok some mine"),
            ("asker", "storage-list", "ok\nk"),
            ("target", "storage-delete k", "ok"),
            ("asker", "storage-exists k", "ok true"),
        ),
    ),
    *(
        Row(
            covers=(f"storage.{name}: invalid-key",),
            behaviour=f"{name} of a key that cannot be one",
            steps=(
                ("asker", command.format(""), EMPTY),
                ("asker", command.format("a\0b"), NUL),
                ("asker", command.format(LONGEST + "k"), LONG),
                ("asker", "storage-usage", "ok 0 16777216 0"),
            ),
        )
        for name, command in KEYED.items()
    ),
    Row(
        covers=("storage.set: ok",),
        behaviour="the longest key, counted in bytes",
        steps=(
            ("asker", f"storage-set {LONGEST} v", "ok"),
            ("asker", f"storage-set {'é' * 512} v", "ok"),
            ("asker", f"storage-get {LONGEST}", "ok some v"),
            ("asker", f"storage-exists {'é' * 512}", "ok true"),
        ),
    ),
    *(
        Row(
            covers=(f"storage.{name}: io-error",),
            behaviour=f"{name} without a grant says the same for every key",
            may=may,
            steps=tuple(("asker", command.format(key), DENIED) for key in ("k", "", "a\0b")),
        )
        for commands, wrong in ((READS, WRITE), (WRITES, READ))
        for name, command in commands.items()
        for may in (NOTHING, wrong)
    ),
    Row(
        covers=tuple(f"storage.{name}: ok" for name in READS),
        behaviour="a grant to read permits to read",
        may=READ,
        steps=(
            ("asker", "storage-get k", "ok none"),
            ("asker", "storage-exists k", "ok false"),
            ("asker", "storage-list", "ok"),
            ("asker", "storage-usage", "ok 0 16777216 0"),
        ),
    ),
    Row(
        covers=tuple(f"storage.{name}: ok" for name in WRITES),
        behaviour="a grant to write permits to write",
        may=WRITE,
        steps=(("asker", "storage-set k v", "ok"), ("asker", "storage-delete k", "ok")),
    ),
)

_NO_ADDITION = "only a write can take a component over its quota"
CANNOT: Final = {
    **{
        f"storage.{name}: {case}": why
        for name in READS | WRITES
        for case, why in (
            ("not-found", "what is not there is none, false, or deleted already"),
            ("already-exists", "set overwrites"),
        )
    },
    **{f"storage.{name}: quota-exceeded": _NO_ADDITION for name in READS},
    "storage.delete: quota-exceeded": _NO_ADDITION,
    "storage.list-keys: invalid-key": "a prefix that no key can begin with is one of no keys",
    "storage.usage: invalid-key": "there is no key",
}
"""Cases that the types allow and that never come, and why."""
