"""Streams for readers that may be slow, late, or gone."""

import asyncio
import gc

import pytest

from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.observations import DeadLetter, DeadLetterReason
from airssys_wasm.system.events import Observatory, Source, Stream


async def test_each_reader_gets_everything_from_when_it_opened() -> None:
    """In order, whoever else reads."""
    source: Source[int] = Source()
    early = source.open()
    source.put(1)
    late = source.open()
    source.put(2)
    source.end()
    assert ([1, 2], [2]) == ([item async for item in early], [item async for item in late])


async def test_a_slow_reader_loses_the_oldest_and_knows_how_many() -> None:
    """Others lose nothing; the source adds it up."""
    source: Source[int] = Source()
    slow, fast = source.open(2), source.open()
    for number in range(5):
        source.put(number)
    assert (3, 0, 3) == (slow.dropped, fast.dropped, source.dropped)
    assert [3, 4] == [slow.get_nowait(), slow.get_nowait()]
    assert None is slow.get_nowait()


async def test_a_reader_that_waits_is_woken() -> None:
    """And one that is cancelled loses nothing."""
    source: Source[int] = Source()
    stream = source.open()
    for number in (1, 2):
        reading = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        source.put(number)
        assert number == await anext(stream)


async def test_the_end_ends_every_reader() -> None:
    """Also one that opens later, and one that waits."""
    source: Source[int] = Source()
    waiting = asyncio.ensure_future(_all(source.open()))
    await asyncio.sleep(0)
    source.end()
    assert [] == await waiting == await _all(source.open())


async def test_a_closed_or_forgotten_reader_costs_nothing() -> None:
    """Its place is given up."""
    source: Source[int] = Source()
    closed, forgotten = source.open(), source.open()
    await closed.aclose()
    assert 1 == len(source._streams)
    del forgotten
    gc.collect()
    assert 0 == len(source._streams)
    source.put(1)
    with pytest.raises(StopAsyncIteration):
        await anext(closed)


async def test_dead_letters_are_counted_whether_anyone_reads_or_not() -> None:
    """Counters always."""
    observatory = Observatory()
    target = ComponentId("demo", "a", "0")
    observatory.dead_letter(DeadLetter(target, ComponentMessage(target, b"x"), DeadLetterReason.CRASHED))
    counts = {reason: count for reason, count in observatory.dead_letter_counts.items() if count}
    assert {DeadLetterReason.CRASHED: 1} == counts


async def _all(stream: Stream[int]) -> list[int]:
    return [item async for item in stream]
