"""Any task, any loop, any thread: a system needs only a running loop."""

import asyncio
import threading

from airssys_wasm import ActorSystem, ComponentId
from tests.contract.stage import binary, component


async def test_entering_and_leaving_in_different_tasks() -> None:
    """As start-up and shutdown hooks of a web framework do, with requests in between."""
    system = ActorSystem()
    await asyncio.create_task(system.__aenter__())
    counter = await asyncio.create_task(system.load(component("counter"), binary("counter")))
    answers = [await asyncio.create_task(counter.ask(b"x")) for _ in range(3)]
    assert [b"1", b"2", b"3"] == answers
    await asyncio.create_task(system.__aexit__(None, None, None))


async def test_two_systems_in_one_loop_know_nothing_of_each_other() -> None:
    """The same id in both; one goes on when the other is left."""
    async with ActorSystem("one") as one:
        counter = await one.load(component("counter"), binary("counter"))
        assert b"1" == await counter.ask(b"x")
        async with ActorSystem("two") as two:
            other = await two.load(component("counter"), binary("counter"))
            assert (b"1", b"2") == (await other.ask(b"x"), await counter.ask(b"x"))
            await two.unload(counter)
            assert None is two.get(ComponentId("demo", "hostile", "0"))
        assert b"3" == await counter.ask(b"x")


def test_systems_in_threads_with_loops_of_their_own() -> None:
    """Several at the same time, each with its own engine."""
    answers: list[bytes | None] = []

    async def use() -> None:
        async with ActorSystem() as system:
            hostile = await system.load(component("hostile"), binary("hostile"))
            await hostile.ask(b"sleep 20")
            answers.append(await hostile.ask(b"count"))

    threads = [threading.Thread(target=asyncio.run, args=(use(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [b"2"] * 3 == answers


def test_one_loop_after_the_other() -> None:
    """Nothing of the first loop is needed by the second."""

    async def use() -> bytes | None:
        async with ActorSystem() as system:
            return await (await system.load(component("echo"), binary("echo"))).ask(b"x")

    assert [b"x"] * 3 == [asyncio.run(use()) for _ in range(3)]
