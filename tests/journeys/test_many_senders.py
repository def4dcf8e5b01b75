"""Ten senders, a thousand messages: each sender's arrive in the order in which it sent them."""

import asyncio
from collections import defaultdict
from typing import Final

from airssys_wasm import ComponentId, ComponentMessage
from tests.contract.stage import Stage, component, until, wire

SENDERS: Final = 10
EACH: Final = 100
INBOX: Final = ComponentId("host", "tests", "inbox")


async def test_messages_of_guests_arrive_in_order_per_sender(stage: Stage) -> None:
    """From guests to host code, all at the same time, and none is missing."""
    got: dict[str, list[int]] = defaultdict(list)

    async def handler(message: ComponentMessage) -> None:
        got[str(message.sender)].append(int(message.payload.data))

    inbox = await stage.system.serve(INBOX, handler)
    senders = [await stage.load(f"sender{number}") for number in range(SENDERS)]
    for number in range(EACH):
        for sender in senders:
            sender.handle.tell_nowait(f"send {wire(INBOX)} {number}".encode())
    await until(lambda: inbox.statistics().handled == SENDERS * EACH)
    assert {str(sender.handle.id): list(range(EACH)) for sender in senders} == got


async def test_answers_to_ten_askers_come_in_the_order_of_their_asks(stage: Stage) -> None:
    """The counter gives each number to one of them."""
    counter = await stage.load("counter", "counter")

    async def asker() -> list[int]:
        return [int(await counter.say("x")) for _ in range(EACH)]

    answers = await asyncio.gather(*[asker() for _ in range(SENDERS)])
    assert all(sorted(numbers) == numbers for numbers in answers)
    assert list(range(1, SENDERS * EACH + 1)) == sorted(number for numbers in answers for number in numbers)


async def test_host_senders_keep_their_order_at_a_full_mailbox(stage: Stage) -> None:
    """Who waits for room is let in first come, first served; the guest passes on what it gets."""
    got: dict[bytes, list[int]] = defaultdict(list)

    async def handler(message: ComponentMessage) -> None:
        sender, _, number = message.payload.data.partition(b" ")
        got[sender].append(int(number))

    inbox = await stage.system.serve(INBOX, handler)
    relay = await stage.load("relay")

    async def sender(name: str) -> None:
        for number in range(EACH):
            text = f"send {wire(INBOX)} {name} {number}"
            await stage.system.send(ComponentId("host", name, "0"), component("relay"), text.encode())

    await asyncio.gather(*[sender(f"s{number}") for number in range(SENDERS)])
    await until(lambda: relay.handle.statistics().handled == inbox.statistics().handled == SENDERS * EACH)
    assert {f"s{number}".encode(): list(range(EACH)) for number in range(SENDERS)} == got
