"""The host drops a resource of a guest: once, through a function that the component was extended with."""

import copy
import hashlib
import pickle
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final, final

import pytest

from airssys_wasm.core.calls import DROPPING, BadType, BadValue, CallRefused, FunctionNotFound, Given, Invocation
from airssys_wasm.core.errors import FuelExhausted, Trap
from airssys_wasm.core.limits import MIB, Limits
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime import extension, loader
from airssys_wasm.runtime.abi.binary import Unrecognised
from airssys_wasm.runtime.abi.drops import DROP
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.extension import DROPS_NAME
from airssys_wasm.runtime.store import GuestStore
from tests.guests import wat
from tests.runtime.guests import BOTH_PATHS, GUEST, ask, binary
from tests.runtime.plugins import Plugin
from tests.runtime.things import (
    EAT,
    LOOP,
    THINGS,
    TICK,
    TRAP,
    bare_thing,
    composed_things,
    things,
    things_without_destructor,
)

KINDS: Final[dict[str, tuple[Callable[[], bytes], str]]] = {
    "as toolchains build it": (things, THINGS),
    "composed": (composed_things, THINGS),
    "by itself": (bare_thing, ""),
}

DROP_COUNTER: Final = f"{DROPPING}counter"


@final
class Ticks:
    """What a destructor calls."""

    def __init__(self) -> None:
        self.ticked = list[int]()

    async def __call__(self, rep: int) -> None:
        """Note whose it is."""
        self.ticked.append(rep)


@final
class Things:
    """A component of `things.py`, without an actor: handles are dropped by it directly."""

    def __init__(self, guest: GuestStore, interface: str) -> None:
        self.guest, self.interface = guest, interface

    async def __call__(self, interface: str, function: str, *arguments: Any) -> Any:
        """Call a function; what handles are dropped by."""
        return await self.guest.call(Invocation(interface, function, arguments, {}, self))

    async def make(self, rep: int = 7) -> Any:
        """A thing."""
        return await self(self.interface, "Thing", rep)

    async def dropped(self) -> int:
        """How often the destructor has run."""
        return int(await self(self.interface, "dropped"))


class Start:
    """Starts components that are closed with the test."""

    def __init__(self, engine: WasmtimeEngine) -> None:
        self.engine, self.guests = engine, list[GuestStore]()
        self.ticks = Ticks()

    async def __call__(self, data: bytes, interface: str = THINGS, limits: Limits | None = None) -> Things:
        """An instance."""
        state = HostState(GUEST, limits or Limits())
        compiled = await self.engine.compile(data, state.limits)
        imports = {"tick": self.ticks} if b"\x04tick" in data else {}
        guest = await self.engine.start(await self.engine.bind(compiled, Given(imports)), state)
        self.guests.append(guest)
        return Things(guest, interface)


@pytest.fixture
async def start(engine: WasmtimeEngine) -> AsyncIterator[Start]:
    """Start components that are closed with the test."""
    start = Start(engine)
    yield start
    for guest in start.guests:
        await guest.aclose()


@pytest.mark.parametrize("kind", KINDS)
async def test_the_destructor_runs_once(start: Start, kind: str) -> None:
    """However often the handle is dropped; the others stay."""
    make, interface = KINDS[kind]
    one = await start(make(), interface)
    first, second = await one.make(), await one.make()
    for _ in range(3):
        await first.drop()
    assert (1, False, True) == (await one.dropped(), first.usable, second.usable)
    async with second as same:
        assert same is second
    assert (2, False) == (await one.dropped(), second.usable)


async def test_a_resource_without_destructor_is_dropped_too(start: Start) -> None:
    """Nothing runs, and its place in the table is free."""
    one = await start(things_without_destructor())
    for _ in range(100):
        async with await one.make() as thing:
            assert 7 == await thing.rep()
    assert 0 == await one.dropped()


async def test_what_was_dropped_is_named_where_it_is_used(start: Start) -> None:
    """As an argument, by its methods, and as a block."""
    one = await start(things())
    thing = await one.make()
    await thing.drop()
    assert f"GuestResource({THINGS}#thing, was dropped)" == repr(thing)
    for use in (lambda: one(THINGS, "keep", thing), thing.rep, thing.__aenter__):
        with pytest.raises(BadValue, match=f"{THINGS}#thing was dropped"):
            await use()
    assert 1 == await one.dropped()


async def test_what_was_passed_on_is_not_dropped(start: Start) -> None:
    """It belongs to the guest now; the block that it was passed on in ends as ever."""
    one = await start(things())
    async with await one.make() as thing:
        await one(THINGS, "keep", thing)
    assert 0 == await one.dropped()
    assert "was passed on" in repr(thing)


async def test_methods_of_the_names_of_handles_are_called_with_an_underscore(start: Start) -> None:
    """The resource has a method `drop` of its own."""
    one = await start(things())
    thing = await one.make(9)
    assert 9 == await thing.drop_()
    assert (True, 0) == (thing.usable, await one.dropped())


async def test_a_drop_by_call_takes_what_is_there(plugin: Plugin) -> None:
    """No handle of another instance, none that has gone, nothing that is no handle."""
    counter = await plugin("Counter", 5)
    assert await plugin(DROP_COUNTER, counter) is None
    assert 1 == await plugin("dropped")
    with pytest.raises(BadValue, match=r"params\.handle: my:app/api@1\.0\.0#counter was dropped"):
        await plugin(DROP_COUNTER, counter)
    for wrong in (5, None, object()):
        with pytest.raises(BadType, match=r"params\.handle"):
            await plugin(DROP_COUNTER, wrong)
    with pytest.raises(FunctionNotFound):
        await plugin(f"{DROPPING}store", counter)
    assert 1 == await plugin("dropped")


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda thing: copy.deepcopy([thing])[0]])
async def test_a_copy_of_a_handle_is_the_handle_itself(start: Start, duplicate: Callable[[Any], Any]) -> None:
    """Such as in `dataclasses.asdict` of a record; two would each drop it, and each free what belongs to one."""
    one = await start(things())
    thing = await one.make()
    assert thing is duplicate(thing)
    with pytest.raises(TypeError, match="in this process only"):
        pickle.dumps(thing)
    await thing.drop()
    assert 1 == await one.dropped()


async def test_handles_of_other_instances_are_refused(start: Start) -> None:
    """Each has its own; the one whose it is drops it."""
    one, other = await start(things()), await start(things())
    thing = await one.make()
    await other.make()
    with pytest.raises(BadValue, match="another instance"):
        await other(THINGS, f"{DROPPING}thing", thing)
    await thing.drop()
    assert [1, 0] == [await one.dropped(), await other.dropped()]


async def test_a_handle_whose_instance_has_ended_is_dropped_in_silence(start: Start) -> None:
    """It went with it; as a block it is of no use."""
    one = await start(things())
    thing = await one.make()
    await one.guest.aclose()
    await thing.drop()
    with pytest.raises(BadValue, match=f"{THINGS}#thing belongs to an instance that has ended"):
        await thing.__aenter__()


async def test_what_drops_is_not_listed(plugin: Plugin) -> None:
    """Neither among the functions nor in the world that codecs are made from."""
    with pytest.raises(FunctionNotFound) as caught:
        await plugin("drop_it")
    assert not [name for name in caught.value.known if "drop" in name and name != "dropped"]
    with pytest.raises(FunctionNotFound):
        await plugin.guest.call(Invocation("", f"{DROP}0", (), {}))


@pytest.mark.parametrize("kind", ["as toolchains build it", "composed"])
async def test_a_destructor_may_wait_for_the_host(start: Start, kind: str) -> None:
    """As any code of the guest's: the host function is awaited, and the call goes on."""
    one = await start(KINDS[kind][0]())
    await one(THINGS, "set-mode", TICK)
    await (await one.make(11)).drop()
    assert ([11], 1) == (start.ticks.ticked, await one.dropped())


@pytest.mark.parametrize(("mode", "error"), [(TRAP, Trap), (EAT, Trap), (LOOP, FuelExhausted)])
async def test_a_destructor_that_fails_spends_the_instance(start: Start, mode: int, error: type[Exception]) -> None:
    """By a trap, by all the memory that it may have, by all its fuel; the handle has gone either way."""
    one = await start(things(), limits=Limits(max_fuel=1_000_000, max_memory_bytes=8 * MIB))
    thing, other = await one.make(), await one.make()
    await one(THINGS, "set-mode", mode)
    with pytest.raises(error):
        await thing.drop()
    assert not thing.usable
    with pytest.raises(Trap, match="spent"):
        await other.drop()


async def test_dropping_takes_the_fuel_of_the_destructor(start: Start) -> None:
    """And no more: what was appended is no code."""
    one = await start(things(), limits=Limits(max_fuel=1_000_000))
    thing, before = await one.make(), one.guest.fuel
    await thing.drop()
    assert 0 < one.guest.fuel - before < 100


@BOTH_PATHS
async def test_a_component_of_the_contract_has_both_extensions(start: Start, byte_path: bool) -> None:
    """Messages as a block where that is wanted, and its resources are dropped."""
    data = wat.low_level(
        {},
        prelude='(type $r (resource (rep i32))) (export $t "thing" (type $r)) (core func $new (canon resource.new $r))'
        ' (func (export "[constructor]thing") (param "rep" u32) (result (own $t)) (canon lift (core func $new)))',
    )
    one = await start(data, "")
    async with await one.make() as thing:
        assert thing.usable
    assert byte_path is (one.guest._delivery is not None)
    with pytest.raises(Trap, match="unreachable"):
        await ask(one.guest, b"anything")


def unknown(_data: bytes, _tail: bytes) -> bytes:
    """A component whose shape is not known."""
    raise Unrecognised


@pytest.mark.parametrize("tail", [unknown, lambda *_: b"\x0b\x01\xff"], ids=["not recognised", "refused by wasmtime"])
async def test_without_the_functions_all_is_as_before_and_a_drop_says_so(
    monkeypatch: pytest.MonkeyPatch, tail: Callable[[bytes, bytes], bytes]
) -> None:
    """A handle is used as ever, and ends with its instance."""
    monkeypatch.setattr(extension, "drops_tail", tail)
    async with WasmtimeEngine(cache=None) as engine:
        one = await Start(engine)(things())
        thing = await one.make()
        for way in (thing.drop, thing.__aenter__):
            with pytest.raises(CallRefused, match=f"{THINGS}#thing.* cannot be dropped"):
                await way()
        assert (7, True) == (await thing.rep(), thing.usable)
        await one.guest.aclose()
        await thing.drop()


async def test_an_extended_component_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a name that says what it was extended by, which an older version's entries have not."""
    data, names = things(), list[int]()
    for version in (DROPS_NAME, DROPS_NAME, ".drops-0"):
        monkeypatch.setattr(loader, "DROPS_NAME", version)
        async with WasmtimeEngine(cache=tmp_path / "cache") as engine:
            start = Start(engine)
            one = await start(data)
            async with await one.make():
                """It can be dropped."""
            assert 1 == await one.dropped()
            await one.guest.aclose()
        names.append(len(list((tmp_path / "cache").glob(f"{hashlib.sha256(data).hexdigest()}*.drops-*"))))
    assert [1, 1, 2] == names


async def test_inspecting_shows_what_its_author_wrote(engine: WasmtimeEngine) -> None:
    """No function of the runtime's own."""
    report = await engine.inspect(binary("plugin"), Limits())
    assert not [line for line in (*report.exports, report.wit, report.python) if DROP in line]
