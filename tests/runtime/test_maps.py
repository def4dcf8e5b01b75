"""Room for memory maps: counted seldom, refused early, with a sentence that helps."""

import asyncio
import mmap
from pathlib import Path

import attrs
import pytest

from airssys_wasm import ActorSystem, ComponentCrashed, ComponentId, InstantiationFailed, Limits, TooManyMaps
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.machine import PLAIN, SMALL_MEMORY_BYTES, Profile
from airssys_wasm.runtime.maps import RESERVE, MapRoom, count_maps, map_limit
from tests.runtime.guests import GUEST, binary

SMALL = Profile(small=True)
SMALL_LIMITS = Limits(max_memory_bytes=SMALL_MEMORY_BYTES)
LIMIT = 20_000


@attrs.define
class Process:
    """A process whose every instance takes so many maps; counts how often it was counted."""

    maps: int = 500
    counted: int = 0

    def count(self) -> int:
        """As `count_maps`."""
        self.counted += 1
        return self.maps


async def start_all(room: MapRoom, process: Process, profile: Profile, each: int) -> int:
    """Start until it is refused; how many there were."""
    started = 0
    while True:
        try:
            await room.admit(profile, GUEST)
        except TooManyMaps:
            return started
        started += 1
        process.maps += each


@pytest.mark.parametrize(("profile", "each"), [(SMALL, 3), (SMALL, 5), (PLAIN, 7), (PLAIN, 12)])
async def test_starts_are_refused_shortly_before_the_limit(profile: Profile, each: int) -> None:
    """Whatever an instance really takes; the reserve is never touched, and little else is left unused."""
    process = Process()
    room = MapRoom(LIMIT, process.count)
    started = await start_all(room, process, profile, each)
    assert LIMIT - RESERVE - 12 <= process.maps <= LIMIT - RESERVE
    assert process.counted < 80 < started


async def test_two_engines_in_one_process_do_not_promise_the_same_room_twice() -> None:
    """Each takes a part of what it finds free."""
    process = Process()
    rooms = [MapRoom(LIMIT, process.count) for _ in range(3)]
    refused = set[int]()
    while len(refused) < len(rooms):
        for number, room in enumerate(rooms):
            try:
                await room.admit(PLAIN, GUEST)
                process.maps += 9
            except TooManyMaps:
                refused.add(number)
        assert process.maps < LIMIT


async def test_of_many_that_start_at_once_no_more_are_let_in_than_there_is_room_for() -> None:
    """Though one count is under way for all of them."""
    process = Process(maps=LIMIT - RESERVE - 12 * 7)
    room = MapRoom(LIMIT, process.count)
    ends = await asyncio.gather(*(_start(room, process) for _ in range(50)), return_exceptions=True)
    assert (7, 43) == (ends.count(None), sum(isinstance(end, TooManyMaps) for end in ends))


async def _start(room: MapRoom, process: Process) -> None:
    await room.admit(PLAIN, GUEST)
    process.maps += 12


async def test_each_further_memory_takes_maps() -> None:
    """Of a component that is composed of several; an absurd number of them has no room."""
    process = Process(maps=LIMIT - RESERVE - 12 - 5 * 3)
    with pytest.raises(TooManyMaps):
        await MapRoom(LIMIT, process.count).admit(PLAIN, GUEST, memories=5)
    await MapRoom(LIMIT, process.count).admit(PLAIN, GUEST, memories=4)


async def test_what_ends_makes_room() -> None:
    """It is found at the next count."""
    process = Process()
    room = MapRoom(LIMIT, process.count)
    started = await start_all(room, process, SMALL, 3)
    process.maps -= 300
    assert 50 <= await start_all(room, process, SMALL, 3) <= 100 < started


async def test_without_a_limit_nothing_is_counted() -> None:
    """Other systems have none, or do not tell."""
    process = Process()
    for _ in range(100):
        await MapRoom(None, process.count).admit(PLAIN, GUEST)
    assert 0 == process.counted


@pytest.mark.skipif(map_limit() is None, reason="the system does not say how many maps there may be")
def test_maps_are_counted() -> None:
    """As many more as are made."""
    before, made = count_maps(), []
    for _ in range(20):
        made.append(mmap.mmap(-1, 4096, prot=mmap.PROT_READ))
        made.append(mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE))
    assert before + 15 <= count_maps()
    for one in made:
        one.close()
    assert len(Path("/proc/self/maps").read_text().splitlines()) == pytest.approx(count_maps(), abs=5)


async def test_a_load_without_room_says_what_to_do_and_leaves_nothing() -> None:
    """And the id is free; those that live go on."""
    async with ActorSystem() as system:
        first = await system.load(ComponentId("x", "first", "0"), binary("echo"))
        host: WasmtimeEngine = system._parts().host.inner  # type: ignore[attr-defined]
        process = Process(maps=LIMIT)
        host._maps = MapRoom(LIMIT, process.count)
        second = ComponentId("x", "second", "0")
        with pytest.raises(InstantiationFailed, match=r"vm\.max_map_count") as caught:
            await system.load(second, binary("echo"))
        assert isinstance(caught.value, TooManyMaps)
        assert (LIMIT, LIMIT) == (caught.value.maps, caught.value.limit)
        assert (b"x", None) == (await first.ask(b"x"), system.get(second))
        process.maps = 0
        assert b"y" == await (await system.load(second, binary("echo"))).ask(b"y")


async def test_small_components_take_few_maps_and_do_the_same() -> None:
    """In an engine of their own: echo up to the payload limit, crashes, memory up to its bound and not beyond."""
    async with ActorSystem() as system:
        compiled = await system.compile(binary("hostile"))
        for _ in range(2):
            guest = await system.load(ComponentId("x", "small", "0"), compiled, limits=SMALL_LIMITS)
            assert b"z" * 100_000 == await guest.ask(b"echo " + b"z" * 100_000)
            text = await guest.ask(b"memory-bomb report")
            assert text is not None
            assert text.endswith(b" pages to 64")
            assert b"ok" == await guest.ask(b"spin 1000")
            await system.unload(guest)
        large = await _maps_of(system, "large", Limits())
        small = await _maps_of(system, "small", SMALL_LIMITS)
        assert small < 0.75 * large


async def _maps_of(system: ActorSystem, name: str, limits: Limits) -> float:
    """Maps an actor."""
    compiled = await system.compile(binary("echo"))
    before = count_maps()
    for number in range(60):
        await system.load(ComponentId("x", name, str(number)), compiled, limits=limits)
    return (count_maps() - before) / 60


async def test_an_access_out_of_bounds_traps_in_both_engines() -> None:
    """By the processor or by code."""
    async with ActorSystem() as system:
        for limits in (Limits(), SMALL_LIMITS):
            guest = await system.load(
                ComponentId("x", "y", str(limits.max_memory_bytes)), binary("hostile"), limits=limits
            )
            with pytest.raises(ComponentCrashed, match="crashed") as caught:
                await guest.ask(b"oob")
            assert "out of bounds" in str(caught.value.__cause__)
