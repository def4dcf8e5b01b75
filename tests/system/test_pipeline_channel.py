"""Channels between stages: bounds, order, ends, and the choice of an instance."""

import asyncio
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from airssys_wasm.core.keys import Key
from airssys_wasm.system.pipeline_channel import ByKey, Channel, InTurn, outlet_to


class ChannelMachine(RuleBasedStateMachine):
    """A channel beside a plain list."""

    def __init__(self) -> None:
        super().__init__()
        self.channel = Channel(1, capacity=4, capacity_bytes=10)
        self.model: deque[bytes] = deque()

    @rule(payload=st.binary(max_size=12))
    def put(self, payload: bytes) -> None:
        """There is room below both bounds, for a message of any size."""
        room = len(self.model) < 4 and sum(map(len, self.model)) < 10
        assert room == self.channel.put_nowait(payload)
        if room:
            self.model.append(payload)

    @rule()
    def take(self) -> None:
        """First in, first out."""
        assert (self.model.popleft() if self.model else None) == self.channel.take_nowait()

    @rule()
    def take_all(self) -> None:
        """Everything at once."""
        assert list(self.model) == self.channel.take_all()
        self.model.clear()

    @invariant()
    def counts(self) -> None:
        """Messages and bytes are those that wait."""
        assert (len(self.model), sum(map(len, self.model))) == (len(self.channel), self.channel.size)


TestChannel = ChannelMachine.TestCase


async def produce(channel: Channel, payloads: list[bytes]) -> None:
    """Put all, then close."""
    for payload in payloads:
        await channel.put(payload)
    channel.close()


async def consume(channel: Channel) -> list[bytes]:
    """Take one by one until the end."""
    taken = []
    while await channel.wait():
        while (payload := channel.take_nowait()) is not None:
            taken.append(payload)
            await asyncio.sleep(0)
    return taken


@given(st.lists(st.integers(0, 60), min_size=1, max_size=3), st.integers(1, 9))
def test_each_producer_keeps_its_order_and_nothing_is_lost(counts: list[int], capacity: int) -> None:
    """Several producers, one consumer, any capacity; the end comes when all producers have closed."""

    async def scenario() -> list[bytes]:
        channel = Channel(len(counts), capacity)
        async with asyncio.TaskGroup() as group:
            taken = group.create_task(consume(channel))
            for number, count in enumerate(counts):
                group.create_task(produce(channel, [b"%d:%d" % (number, n) for n in range(count)]))
        return taken.result()

    taken = asyncio.run(scenario())
    assert sum(counts) == len(taken)
    for number, count in enumerate(counts):
        expected = [b"%d:%d" % (number, n) for n in range(count)]
        assert expected == [payload for payload in taken if payload.startswith(b"%d:" % number)]


async def test_a_full_channel_holds_its_producer_until_half_of_it_is_free() -> None:
    """Both sides run in bursts instead of waking each other for each message."""
    channel = Channel(1, capacity=4)
    producer = asyncio.create_task(produce(channel, [b"x"] * 6))
    await asyncio.sleep(0)
    channel.take_nowait()
    await asyncio.sleep(0)
    assert len(channel) == 3
    channel.take_nowait()
    await asyncio.sleep(0)
    assert len(channel) == 4
    await producer


async def test_waiting_for_enough_ends_when_half_full_or_at_the_end() -> None:
    """What a sink does to write many messages at once."""
    channel = Channel(1, capacity=10)
    waiting = asyncio.create_task(channel.wait(enough=10))
    for _ in range(5):
        channel.put_nowait(b"x")
        await asyncio.sleep(0)
        assert not waiting.done()
    channel.put_nowait(b"x")
    assert await waiting
    channel.take_all()
    waiting = asyncio.create_task(channel.wait(enough=10))
    await asyncio.sleep(0)
    channel.close()
    assert not await waiting


async def test_end_does_not_wait_for_producers() -> None:
    """After a failure; what is there can still be taken."""
    channel = Channel(3)
    channel.put_nowait(b"x")
    channel.end()
    assert await consume(channel) == [b"x"]


async def test_instances_take_messages_in_turn() -> None:
    """One that has no room is passed over."""
    channels = [Channel(1, capacity=2) for _ in range(3)]
    outlet = InTurn(channels)
    channels[1].put_nowait(b"-")
    assert [True] * 5 + [False] == [outlet.put_nowait(b"%d" % n) for n in range(6)]
    assert [[b"0", b"3"], [b"-", b"1"], [b"2", b"4"]] == [channel.take_all() for channel in channels]


async def test_a_stuck_instance_does_not_hold_up_the_others() -> None:
    """Whoever has room first gets the message."""
    stuck, free = Channel(1, capacity=1), Channel(1, capacity=1)
    outlet = InTurn([stuck, free])
    outlet.put_nowait(b"1")
    outlet.put_nowait(b"2")
    for expected in (b"2", b"3", b"4"):
        putting = asyncio.create_task(outlet.put(b"%d" % (int(expected) + 1)))
        await asyncio.sleep(0)
        assert expected == free.take_nowait()
        await putting
    assert stuck.take_all() == [b"1"]


async def test_stale_waiters_do_not_pile_up_at_a_stuck_instance() -> None:
    """A run of any length beside one instance in back-off keeps its memory."""
    stuck, free = Channel(1, capacity=1), Channel(1, capacity=1)
    outlet = InTurn([stuck, free])
    outlet.put_nowait(b"")
    outlet.put_nowait(b"")
    for _ in range(100):
        putting = asyncio.create_task(outlet.put(b""))
        await asyncio.sleep(0)
        free.take_nowait()
        await putting
    assert len(stuck._waiting) <= 1


@pytest.mark.parametrize("instances", [2, 5])
async def test_equal_keys_meet_the_same_instance(instances: int) -> None:
    """Also when only others have room: the message waits."""
    key = Key.parse("bytes:0:1")
    channels = [Channel(1) for _ in range(instances)]
    outlet = ByKey(channels, key)
    for number in range(100):
        await outlet.put(b"%d" % number)
    for place, channel in enumerate(channels):
        assert {place} == {key.instance(payload, instances) for payload in channel.take_all()} | {place}


async def test_a_key_waits_for_its_own_instance() -> None:
    """Room elsewhere is of no use to it."""
    channels = [Channel(1, capacity=1) for _ in range(2)]
    outlet = ByKey(channels, Key.parse("bytes:0:1"))
    outlet.put_nowait(b"a")
    assert not outlet.put_nowait(b"a")
    assert sum(map(len, channels)) == 1


def test_one_instance_needs_no_choice() -> None:
    """The channel itself is the way in."""
    channel = Channel(1)
    assert channel is outlet_to([channel], Key.parse("bytes:0:1"))
