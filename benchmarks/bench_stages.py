"""Where do the microseconds of an ask go? Echo of 64 B, each stage repeated by itself.

A profiler would add more to each Python call than some stages take, so a stage is run some hundred times in a row, in
many short rounds, and the quietest twentieth of the rounds is shown. What remains between the stages and the whole is
what holds them together: coroutines, the budget of the loop, clocks.

An ask of an actor that waits is begun on the spot. One of an actor that is at something else goes through the mailbox,
and takes two turns of the loop: its stages are repeated too.
"""

import asyncio
import math
import os
import time
from collections.abc import Callable
from typing import Any

from airssys_wasm import ActorHandle, ActorSystem, ComponentId, ComponentMessage
from airssys_wasm.actor.asks import Asked
from airssys_wasm.actor.envelope import Envelope
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.values import release
from airssys_wasm.runtime.store import GuestStore
from benchmarks.harness import GUESTS, show, table, write
from benchmarks.peers import QueueActor

ROUNDS = 300
REPEATS = 60
FOREVER = 1 << 40
"""Ticks that never come: a stage must not be cut by the ticker."""


def quietest(samples: list[float]) -> float:
    """Microseconds of the twentieth part that nobody disturbed."""
    return sorted(samples)[len(samples) // 20] * 1e6


async def of(stage: Callable[[], Any], *, awaited: bool = False) -> float:
    """What a stage takes, the loop's own turn in between left out."""
    samples = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(REPEATS):
            made = stage()
            if awaited:
                await made
        samples.append((time.perf_counter() - started) / REPEATS)
        await asyncio.sleep(0)
    return quietest(samples)


async def stages(echo: ActorHandle, guest: GuestStore, payload: bytes) -> dict[str, float]:
    """Every stage on the way of a message, in its order, and the ask itself."""
    router: Any = echo._outbox
    child, loop, host = echo._child, asyncio.get_running_loop(), router.host
    message: ComponentMessage = router._stamped(host, payload, None)
    envelope = Envelope(message)

    def asked() -> Asked:
        reply = loop.create_future()
        return Asked(child, Envelope(message, reply), reply, math.inf, None, interrupt=False)

    found = {
        "message: stamped, checked": await of(lambda: router._stamped(host, payload, None)),
        "ask: time, envelope": await of(lambda: (router.delivery._due(5.0), Envelope(message, None))),
        **await of_guest(guest, message),
        "ask on the spot, whole": await of(lambda: echo.ask(payload), awaited=True),
        "mailbox: future, entry": await of(asked),
        "mailbox: in and out": await of(lambda: (child.mailbox.offer_nowait(envelope), child.mailbox.take_nowait())),
    }
    through = await of(lambda: router.delivery._answer_to(asked()), awaited=True)
    return found | {"ask through the mailbox, whole": found["message: stamped, checked"] + through}


async def of_guest(guest: GuestStore, message: ComponentMessage) -> dict[str, float]:
    """The stages of one guest call, and the call itself."""
    delivery: Any = guest._delivery
    fiber, frames = guest._fiber, delivery._frames
    capi.context_set_epoch_deadline(fiber.context, FOREVER)
    keep = list[Any]()
    delivery._call.arguments.raw = frames.lower(delivery.head(message), message, 0, 1 << 20, keep)

    def native() -> None:
        future = delivery._call.begin()
        capi.future_poll(future)
        capi.future_delete(future)

    def framed() -> None:
        held = list[Any]()
        frames.lower(delivery.head(message), message, 0, 1 << 20, held)
        release(held)

    return {
        "frame: head, encoding, images": await of(framed),
        "wasmtime: call, poll, delete; the guest": await of(native),
        "answer: read": await of(delivery.end),
        "guest call, whole": await of(lambda: guest.handle_message(message), awaited=True),
    }


async def main() -> None:
    """Run, print the table, write the JSON."""
    queue = QueueActor()
    results: dict[str, dict[str, float]] = {}
    async with ActorSystem() as system:
        echo = await system.load(ComponentId("bench", "echo", "0"), (GUESTS / "echo.wasm").read_bytes())
        for kind, payload in (("ASCII", b"x" * 64), ("random", os.urandom(64))):
            for _ in range(50):
                await echo.ask(payload)
            actor: Any = echo._child.actor
            found = await stages(echo, actor._guest, payload)
            found["bare queue actor: two turns of the loop"] = await of(
                lambda payload=payload: queue.ask(payload),  # type: ignore[misc]
                awaited=True,
            )
            results[kind] = found
    queue.stop()
    rows = [(stage, *(found[stage] for found in results.values())) for stage in results["ASCII"]]
    show(table(("stage", *(f"{kind} µs" for kind in results)), rows))
    show(f"written to {write('stages', results)}")


if __name__ == "__main__":
    asyncio.run(main())
