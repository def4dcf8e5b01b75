"""Load, ask, crash, recover."""

import random
from typing import Final

import pytest

from airssys_wasm import ComponentCrashed, DeadlineExceeded, FuelExhausted, Limits, PayloadTooLarge, Trap
from tests.contract.stage import Stage

MIB: Final = 1 << 20


@pytest.mark.parametrize("size", [0, 1, 256, 4096, 65_536, 300_000, MIB])
async def test_echo_answers_what_it_is_asked(stage: Stage, size: int) -> None:
    """Of every size up to the limit, every byte value, again and again."""
    echo = await stage.load("echo", "echo")
    data = bytes(range(256)) if size == 256 else random.Random(size).randbytes(size)
    for _ in range(3):
        assert data == await echo.handle.ask(data)


async def test_no_answer_and_an_empty_one_are_two_things(stage: Stage) -> None:
    """None and b""."""
    asker, echo = await stage.load("asker"), await stage.load("echo", "echo")
    assert (None, b"", b"") == (
        await asker.handle.ask(b"none"),
        await asker.handle.ask(b"empty"),
        await echo.handle.ask(b""),
    )


async def test_a_counter_counts_and_begins_anew_after_a_crash(stage: Stage) -> None:
    """State lives in the instance; a restart makes a new one."""
    counter = await stage.load("counter", "counter")
    assert ["1", "2", "3"] == [await counter.say("x") for _ in range(3)]
    await counter.handle.restart()
    assert ["1", "2"] == [await counter.say("x") for _ in range(2)]
    hostile = await stage.load("hostile")
    assert ["1", "2", "3"] == [await hostile.say("count") for _ in range(3)]
    with pytest.raises(ComponentCrashed):
        await hostile.handle.ask(b"trap")
    assert ["1", "2"] == [await hostile.say("count") for _ in range(2)]


async def test_two_instances_of_one_component_share_nothing(stage: Stage) -> None:
    """Neither memory nor fate."""
    one, two = await stage.load("one"), await stage.load("two")
    assert ["1", "2"] == [await one.say("count") for _ in range(2)]
    assert "1" == await two.say("count")
    with pytest.raises(ComponentCrashed):
        await one.handle.ask(b"trap")
    assert ("2", 0) == (await two.say("count"), two.handle.statistics().crashes)


@pytest.mark.parametrize(
    ("crime", "cause", "limits"),
    [
        ("trap", Trap, Limits()),
        ("divzero", Trap, Limits()),
        ("oob", Trap, Limits()),
        ("stack-overflow", Trap, Limits()),
        ("shadow-overflow", Trap, Limits()),
        ("memory-bomb", Trap, Limits(max_memory_bytes=16 * MIB)),
        ("invalid-answer pointer", Trap, Limits()),
        ("loop", DeadlineExceeded, Limits(max_execution_time=0.5)),
        ("sleep-loop 1", DeadlineExceeded, Limits(max_execution_time=0.5)),
        ("spin 1000000000000", FuelExhausted, Limits(max_fuel=1_000_000)),
        ("huge 1001", PayloadTooLarge, Limits(max_payload_bytes=1000)),
    ],
)
async def test_each_crime_has_its_cause_and_is_followed_by_a_restart(
    stage: Stage, crime: str, cause: type[Exception], limits: Limits
) -> None:
    """Another component does not notice."""
    criminal, witness = await stage.load("criminal", limits=limits), await stage.load("witness")
    await witness.say("count")
    with pytest.raises(ComponentCrashed) as caught:
        await criminal.handle.ask(crime.encode())
    assert isinstance(caught.value.__cause__, cause)
    assert crime.encode() == caught.value.message.payload.data if caught.value.message else False
    assert ("1", "2") == (await criminal.say("count"), await witness.say("count"))
    assert (1, 1) == (criminal.handle.statistics().crashes, criminal.handle.statistics().restarts)


async def test_a_memory_bomb_stops_at_its_limit(stage: Stage) -> None:
    """The guest is refused the next page and may live with that."""
    bomb = await stage.load("bomb", limits=Limits(max_memory_bytes=8 * MIB))
    assert (await bomb.say("memory-bomb report")).endswith(" pages to 128")
    assert "2" == await bomb.say("count")
