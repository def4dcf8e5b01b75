"""The host functions of storage, called by a real guest."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.errors import AirssysError, CapabilityDenied, ExecutionError, PayloadTooLarge, PolicyViolation
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.ports import HostState
from airssys_wasm.core.storage import (
    InvalidKey,
    QuotaExceeded,
    Storage,
    StorageClaimed,
    StorageError,
    StorageUnavailable,
)
from airssys_wasm.core.storage import StorageUsage as Usage
from airssys_wasm.runtime.contract import IMPORTS, STORAGE, STORAGE_ERROR
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.host_fn import storage as host_fn
from airssys_wasm.runtime.host_fn.storage import MOST_HANDED_OVER
from airssys_wasm.runtime.storage import MemoryStorage
from airssys_wasm.runtime.store import GuestStore
from airssys_wasm.runtime.wit import STORAGE_ERRORS, storage_error
from tests.runtime.guests import GUEST, binary, said
from tests.runtime.storages import KINDS, OTHER, opened, put

Action = Literal["read", "write"]
Begin = Callable[..., Awaitable[GuestStore]]

DENIED = "err io-error: permission denied"
COMMANDS: dict[str, Action] = {
    "storage-get k": "read",
    "storage-exists k": "read",
    "storage-list": "read",
    "storage-list k": "read",
    "storage-usage": "read",
    "storage-set k v": "write",
    "storage-delete k": "write",
}

ANSWERS: list[tuple[list[str], list[str]]] = [
    (["storage-get k"], ["ok none"]),
    (["storage-set k v w", "storage-get k"], ["ok", "ok some v w"]),
    (["storage-set k ", "storage-get k", "storage-exists k"], ["ok", "ok some ", "ok true"]),
    (["storage-set k 1", "storage-set k 2", "storage-get k"], ["ok", "ok", "ok some 2"]),
    (["storage-delete k"], ["ok"]),
    (["storage-set k v", "storage-delete k", "storage-get k"], ["ok", "ok", "ok none"]),
    (["storage-exists k", "storage-set k v", "storage-exists k"], ["ok false", "ok", "ok true"]),
    (["storage-list"], ["ok"]),
    (["storage-set b 1", "storage-set a% 2", "storage-list"], ["ok", "ok", "ok\na%\nb"]),
    (["storage-set ab 1", "storage-set a% 2", "storage-list a%"], ["ok", "ok", "ok\na%"]),
    (["storage-usage"], ["ok 0 16777216 0"]),
    (["storage-set é xy", "storage-usage"], ["ok", "ok 4 16777216 1"]),
    (["storage-set é 1", "storage-set e\u0301 2", "storage-get é"], ["ok", "ok", "ok some 1"]),
    (["storage-fill k 1000000", "storage-usage"], ["ok", "ok 1000001 16777216 1"]),
    (["storage-set  v"], ["err invalid-key: storage key '' is empty"]),
    (["storage-get \0"], ["err invalid-key: storage key '\\x00' contains a NUL"]),
    (["storage-set a\0b v", "storage-list"], ["err invalid-key: storage key 'a\\x00b' contains a NUL", "ok"]),
    (["storage-delete \0"], ["err invalid-key: storage key '\\x00' contains a NUL"]),
    (["storage-exists \0"], ["err invalid-key: storage key '\\x00' contains a NUL"]),
    (["storage-list \0"], ["ok"]),
    (["storage-set " + "k" * 1024 + " v", "storage-usage"], ["ok", "ok 1025 16777216 1"]),
]


@pytest.fixture(params=KINDS)
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    """One of the two, empty."""
    async with opened(request.param, tmp_path) as storage:
        yield storage


@pytest.fixture
async def begin(engine: WasmtimeEngine) -> AsyncIterator[Begin]:
    """Start hostile guests that are closed with the test."""
    guests = list[GuestStore]()

    async def begun(storage: Storage | None, component: ComponentId = GUEST, **how: Any) -> GuestStore:
        config = ComponentConfig.of(how.pop("config", None))
        state = HostState(component, storage=storage, **{"authorise_storage": allow} | how)
        guests.append(await engine.start(await engine.compile(binary("hostile"), state.limits), state))
        await guests[-1].initialize(config)
        return guests[-1]

    yield begun
    while guests:
        await guests.pop().aclose()


def allow(_component: ComponentId, _action: Action) -> None:
    """Whoever and whatever."""


async def all_said(guest: GuestStore, *commands: str) -> list[str]:
    """The answers to commands, one after the other."""
    return [await said(guest, command) for command in commands]


async def test_a_guest_gets_what_the_contract_says(storage: Storage, begin: Begin) -> None:
    """Each function, and each of its outcomes; every row of the table begins with nothing stored."""
    guest = await begin(storage)
    for commands, answers in ANSWERS:
        await storage.erase(GUEST)
        assert (commands, answers) == (commands, await all_said(guest, *commands))


async def test_a_key_over_a_kibibyte_is_invalid_for_every_function_that_takes_one(
    storage: Storage, begin: Begin
) -> None:
    """Counted in bytes of UTF-8."""
    guest, key = await begin(storage), "é" * 513
    for answer in await all_said(guest, *(f"storage-{do} {key} v".rstrip(" v") for do in ("get", "delete", "exists"))):
        assert answer.startswith("err invalid-key: ")
        assert answer.endswith("has 1026 bytes of UTF-8, 1024 are the most")
    assert (await said(guest, f"storage-set {key} v")).startswith("err invalid-key: ")


async def test_a_quota_is_the_component_s_limit_and_refuses_without_a_change(storage: Storage, begin: Begin) -> None:
    """By bytes and by keys; a full component is full for itself alone."""
    guest = await begin(storage, limits=Limits(storage_bytes=10, storage_keys=2))
    commands = [
        "storage-set a 12345678",
        "storage-set b 1",
        "storage-set a 123456",
        "storage-set b 1",
        "storage-set c ",
    ]
    assert ["ok", "err quota-exceeded", "ok", "ok", "err quota-exceeded"] == await all_said(guest, *commands)
    assert ["ok 9 10 2", "ok some 123456"] == await all_said(guest, "storage-usage", "storage-get a")
    neighbour = await begin(storage, OTHER)
    assert ["ok", "ok 2 16777216 1"] == await all_said(neighbour, "storage-set c 1", "storage-usage")


@pytest.mark.parametrize("denial", ["nobody to ask", "capability", "policy"])
async def test_what_is_not_granted_is_refused_whatever_the_rest(begin: Begin, denial: str) -> None:
    """Before the key is looked at and before it shows whether there is a storage at all; nothing is changed."""

    def deny(component: ComponentId, action: Action) -> None:
        if denial == "policy":
            raise PolicyViolation(component, action, "storage", "a rule with secrets")
        raise CapabilityDenied(component, action, "storage")

    storage = MemoryStorage()
    await put(storage, "k", b"kept", GUEST)
    for where in (storage, None):
        guest = await begin(where, authorise_storage=None if denial == "nobody to ask" else deny)
        for command in COMMANDS:
            assert [DENIED] * 2 == await all_said(guest, command, command.replace(" k", " \0"))
    assert b"kept" == await storage.get(GUEST, "k")


async def test_each_function_asks_once_for_the_one_thing_it_needs(begin: Begin) -> None:
    """Reading does not imply writing, writing does not imply reading; an invalid key is asked for too."""
    asked, granted = list[tuple[ComponentId, Action]](), set[Action]()

    def ask(component: ComponentId, wanted: Action) -> None:
        asked.append((component, wanted))
        if wanted not in granted:
            raise CapabilityDenied(component, wanted, "storage")

    guest = await begin(MemoryStorage(), authorise_storage=ask)
    for command, action in COMMANDS.items():
        granted.clear()
        granted.add(action)
        assert (await said(guest, command)).startswith("ok")
        await said(guest, command.replace(" k", " \0"))
        assert [(GUEST, action)] * 2 == asked
        asked.clear()


async def test_without_a_storage_the_guest_is_told_so(begin: Begin) -> None:
    """As on a bare engine; a key that cannot be one is still named as such."""
    guest = await begin(None)
    for command in COMMANDS:
        assert "err io-error: storage is not available here" == await said(guest, command)
    for word in ("get", "exists", "set", "delete"):
        assert (await said(guest, f"storage-{word} \0")).startswith("err invalid-key: ")


async def test_a_value_too_large_to_hand_over_is_refused_and_the_guest_goes_on(begin: Begin) -> None:
    """Host code may store more than component values carry."""
    storage = MemoryStorage()
    await put(storage, "k", bytes(MOST_HANDED_OVER + 1), GUEST)
    guest = await begin(storage)
    answer = f"err io-error: the value has {MOST_HANDED_OVER + 1} bytes, {MOST_HANDED_OVER} can be handed over"
    assert [answer, "ok true"] == await all_said(guest, "storage-get k", "storage-exists k")
    await put(storage, "k", bytes(MOST_HANDED_OVER), GUEST)
    with pytest.raises(PayloadTooLarge):
        await said(guest, "storage-get k")


async def test_a_guest_sees_its_own_keys_only(storage: Storage, begin: Begin) -> None:
    """Whatever it puts into a key."""
    theirs, mine = await begin(storage, OTHER), await begin(storage)
    assert "ok" == await said(theirs, "storage-set secret s3cret")
    probes = ["secret", "../secret", "/secret", f"{OTHER}/secret", f"../{OTHER.instance}/secret", "..", "/", "%", "*"]
    assert ["ok none"] * len(probes) == await all_said(mine, *(f"storage-get {probe}" for probe in probes))
    assert ["ok", "ok 0 16777216 0"] == await all_said(mine, "storage-list", "storage-usage")
    await all_said(mine, *(f"storage-delete {probe}" for probe in probes))
    assert "ok some s3cret" == await said(theirs, "storage-get secret")


async def test_a_restarted_component_finds_what_it_wrote(storage: Storage, begin: Begin) -> None:
    """A trap takes the instance, not its data: here the second one finds a key already in initialize."""
    first = await begin(storage)
    assert "ok" == await said(first, "storage-set started yes")
    with pytest.raises(ExecutionError):
        await said(first, "trap")
    second = await begin(storage)
    assert "ok some yes" == await said(second, "storage-get started")
    with pytest.raises(ExecutionError):
        await begin(storage, config="init-trap-if started")


async def test_a_guest_may_write_while_it_shuts_down(storage: Storage, begin: Begin) -> None:
    """The last words are kept."""
    guest = await begin(storage, config="shutdown-store last")
    await guest.shutdown()
    assert b"stopped" == await storage.get(GUEST, "last")


async def test_trouble_with_the_file_reaches_the_guest_without_its_name(tmp_path: Path, begin: Begin) -> None:
    """A short reason; the guest goes on, and so does the storage when the trouble is over."""
    async with opened("file", tmp_path) as storage:
        thread = storage._thread  # type: ignore[attr-defined]
        guest = await begin(storage)
        await thread.do(lambda db: db.execute("PRAGMA query_only = ON").fetchall(), writes=False)
        answers = await all_said(guest, "storage-set k v", "storage-get k")
        assert ["err io-error: storage is unavailable: read-only", "ok none"] == answers
        await thread.do(lambda db: db.execute("PRAGMA query_only = OFF").fetchall(), writes=False)
        assert ["ok", "ok some v"] == await all_said(guest, "storage-set k v", "storage-get k")
    assert "err io-error: storage is unavailable: closed" == await said(guest, "storage-get k")


async def test_fifty_guests_write_at_the_same_time_and_each_gets_its_quota(storage: Storage, begin: Begin) -> None:
    """From their side: what was answered ok is there, nobody is over."""
    components = [ComponentId("demo", "crowd", str(n)) for n in range(50)]
    limits = Limits(storage_bytes=100, storage_keys=8)
    guests = [await begin(storage, component, limits=limits) for component in components]

    async def fill(guest: GuestStore) -> list[str]:
        return await all_said(
            guest, *(f"storage-fill k{n} {10 + n}" for n in range(10)), "storage-usage", "storage-list"
        )

    expected = ["ok"] * 6 + ["err quota-exceeded"] * 4 + ["ok 87 100 6", "ok\nk0\nk1\nk2\nk3\nk4\nk5"]
    assert [expected] * 50 == await asyncio.gather(*map(fill, guests))


ERRORS: list[tuple[AirssysError, tuple[str, str | None]]] = [
    (InvalidKey("", "is empty"), ("invalid-key", "storage key '' is empty")),
    (QuotaExceeded(GUEST, Usage(2, 1), 1, 1), ("quota-exceeded", None)),
    (StorageUnavailable("/secret/path.db", "full"), ("io-error", "storage is unavailable: full")),
    (CapabilityDenied(GUEST, "read", "k"), ("io-error", "permission denied")),
    (PolicyViolation(GUEST, "read", "k", "rule"), ("io-error", "permission denied")),
    (StorageClaimed(GUEST, 1), ("io-error", "storage failed")),
]


@pytest.mark.parametrize(("error", "case"), ERRORS, ids=lambda value: type(value).__name__)
def test_each_error_has_its_case(error: AirssysError, case: tuple[str, str | None]) -> None:
    """A text only where the variant has one, and never with a path."""
    assert case == storage_error(error)


def test_every_error_of_storage_and_every_function_is_accounted_for() -> None:
    """The contract has two cases more: a missing key is ok(none) and a write replaces, so nobody says them."""
    assert set(STORAGE_ERRORS) == {type(error) for error, _ in ERRORS} - {StorageClaimed}
    assert set(StorageError.__subclasses__()) == {type(e) for e, _ in ERRORS if isinstance(e, StorageError)}
    said_cases = {case for case, _ in STORAGE_ERRORS.values()}
    assert {"not-found", "already-exists"} == {name for name, _ in STORAGE_ERROR.cases} - said_cases
    assert set(IMPORTS[STORAGE]) == set(host_fn.functions())
