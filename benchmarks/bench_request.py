"""What does a conversation cost? A guest's request and its callback, beside two plain asyncio actors that do the same.

Ours: the host asks the callback guest, which requests an echo guest and answers the correlation id; the echo's answer
reaches its handle-callback. One operation is over when that callback has been handled. The peer: an actor of a bare
asyncio queue that asks another one and gets the answer into its own queue. Also reported: the ask of the echo alone, so
that what the request adds can be read off. Payloads are random bytes.
"""

import asyncio
import base64
import os
from collections.abc import Callable
from typing import Any

from airssys_wasm import ActorHandle, ActorSystem, Capabilities, ComponentId
from benchmarks.harness import GUESTS, Contestant, Figure, race, show, table, write

SIZES = (0, 64, 1024, 4096)
ECHO = ComponentId("bench", "echo", "0")
CALLER = ComponentId("bench", "caller", "0")

Message = tuple[str, bytes, Callable[[str, bytes], None] | None]


class QueueActor:
    """A task, a queue, and a way to tell it something: the least that can be called an actor."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Message] = asyncio.Queue(1024)
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while True:
            await self.handle(*await self.queue.get())

    async def handle(self, kind: str, payload: bytes, reply: Callable[[str, bytes], None] | None) -> None:
        """Echo."""
        if reply is not None:
            reply(kind, payload)

    def stop(self) -> None:
        """End the task."""
        self._task.cancel()


class QueueCaller(QueueActor):
    """Asks another actor and gets the answer as a message of its own."""

    def __init__(self, target: QueueActor) -> None:
        super().__init__()
        self._target = target
        self._callers: list[asyncio.Future[bytes]] = []

    async def converse(self, payload: bytes) -> bytes:
        """One request, until its callback has been handled."""
        done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._callers.append(done)
        await self.queue.put(("start", payload, None))
        return await done

    async def handle(self, kind: str, payload: bytes, reply: Callable[[str, bytes], None] | None) -> None:
        """Ask at the start, end at the callback."""
        if kind == "start":
            await self._target.queue.put(("answer", payload, lambda *said: self.queue.put_nowait((*said, None))))
        else:
            self._callers.pop(0).set_result(payload)


class Conversation:
    """The callback guest and the echo."""

    def __init__(self, caller: ActorHandle) -> None:
        self._caller = caller

    async def converse(self, payload: bytes) -> None:
        """One request, until its callback has been handled: another message of the caller's comes after that."""
        handled = self._caller.statistics().handled
        await self._caller.ask(b"bench|echo|0|" + payload)
        while self._caller.statistics().handled < handled + 2:  # noqa: ASYNC110 - nobody is told of a handled callback
            await asyncio.sleep(0)


def repeated(run: Callable[[bytes], Any], payload: bytes) -> Contestant:
    """The contestant that does it so many times, one after the other."""

    async def contestant(count: int) -> None:
        for _ in range(count):
            await run(payload)

    return contestant


def row(figures: dict[str, Figure]) -> dict[str, Any]:
    """The figures of one size, with their ratios."""
    medians = {name: figure.median for name, figure in figures.items()}
    return {
        **{name: {"median": of.median, "low": of.low, "high": of.high} for name, of in figures.items()},
        "times_slower_than_queues": medians["request"] / medians["queues"],
        "times_an_ask": medians["request"] / medians["ask"],
    }


async def main() -> None:
    """Run, print the table, write the JSON."""
    results: dict[str, Any] = {}
    echo_actor = QueueActor()
    queue_caller = QueueCaller(echo_actor)
    async with ActorSystem() as system:
        echo = await system.load(ECHO, GUESTS / "echo.wasm")
        grant = Capabilities(request=[str(ECHO)])
        ours = Conversation(await system.load(CALLER, GUESTS / "callback.wasm", capabilities=grant))
        for size in SIZES:
            payload = base64.b64encode(os.urandom(size))[:size]  # no bars in it, and UTF-8
            figures = await race(
                {
                    "request": repeated(ours.converse, payload),
                    "ask": repeated(echo.ask, payload),
                    "queues": repeated(queue_caller.converse, payload),
                }
            )
            results[str(size)] = row(figures)
    for actor in (echo_actor, queue_caller):
        actor.stop()
    columns = ("bytes", "request+callback µs", "ask µs", "bare queues µs", "times bare queues", "times an ask")
    rows = [
        (
            size,
            *(of[name]["median"] for name in ("request", "ask", "queues")),
            of["times_slower_than_queues"],
            of["times_an_ask"],
        )
        for size, of in results.items()
    ]
    show(table(columns, rows))
    show(f"written to {write('request', results)}")


if __name__ == "__main__":
    asyncio.run(main())
