"""A program that leaves a busy system by one way, named on its command line; says which threads are left."""

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from pathlib import Path

from airssys_wasm import (
    ActorHandle,
    ActorSystem,
    Capabilities,
    ComponentId,
    ComponentSpec,
    JsonLinesSink,
    Limits,
    SupervisorSpec,
)

HOSTILE = Path(__file__).parents[1] / "guests" / "hostile.wasm"
PATIENCE = 20.0


def system_with_files() -> ActorSystem:
    """Its storage and its audit trail are files in the present folder."""
    return ActorSystem(storage=Path("storage.db"), audit=[JsonLinesSink(Path("audit.jsonl"))])


async def begun(system: ActorSystem) -> ActorHandle:
    """A component in an endless loop, with a message behind it, under a supervisor, beside an idle one."""
    able = Capabilities(storage=["read", "write"])
    settings = {"limits": Limits(max_execution_time=1e6), "shutdown": 0.1, "capabilities": able}
    children = [ComponentSpec(ComponentId("demo", name, "0"), HOSTILE, **settings) for name in "ab"]  # type: ignore[arg-type]
    await system.supervise(SupervisorSpec(name="app", children=children))  # type: ignore[arg-type]
    handle = system.get(ComponentId("demo", "a", "0"))
    assert handle is not None
    await handle.ask(b"storage-set key value")
    for payload in (b"loop", b"count"):
        handle.tell_nowait(payload)
    while handle.statistics().guest_time < 0.05:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.001)
    return handle


async def clean() -> None:
    """By the end of the block."""
    async with system_with_files() as system:
        await begun(system)


async def exception() -> None:
    """By an exception, which the caller expects."""
    try:
        async with system_with_files() as system:
            await begun(system)
            raise LookupError  # noqa: TRY301 - that is the way
    except LookupError:
        pass


async def keyboard_interrupt() -> None:
    """By SIGINT, while the block waits."""
    async with system_with_files() as system:
        await begun(system)
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()


async def sys_exit() -> None:
    """By `sys.exit`, inside the block."""
    async with system_with_files() as system:
        await begun(system)
        sys.exit(7)


async def cancelled() -> None:
    """By the cancellation of the task that is in the block, and again while it leaves."""
    inside = asyncio.Event()

    async def use() -> None:
        async with system_with_files() as system:
            await begun(system)
            inside.set()
            await asyncio.Event().wait()

    using = asyncio.create_task(use())
    await inside.wait()
    using.cancel()
    await asyncio.sleep(0)
    using.cancel()
    await asyncio.wait([using])


async def never_left() -> None:
    """Not at all: `asyncio.run` cancels what is left."""
    await begun(await system_with_files().__aenter__())


def loop_closed() -> None:
    """Not at all, on a loop that is closed as it is."""
    loop = asyncio.new_event_loop()
    loop.set_debug(enabled=False)
    loop.run_until_complete(never_left())
    loop.close()


def working_threads(*, or_idle: bool) -> list[str]:
    """The threads that have not come to an end after a while, or not even to rest."""
    give_up = time.monotonic() + PATIENCE
    while True:
        gc.collect()
        left = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
        if not left or time.monotonic() > give_up:
            return left
        if or_idle and is_at_rest():
            return ["at rest"]
        time.sleep(0.01)


def is_at_rest() -> bool:
    """Whether the process uses next to nothing of a processor for a fifth of a second."""
    before = time.process_time()
    time.sleep(0.2)
    return time.process_time() - before < 0.02


def main(way: str) -> None:
    """Leave by that way."""
    try:
        if way == "loop_closed":
            loop_closed()
        else:
            asyncio.run(globals()[way]())
    except KeyboardInterrupt:
        sys.stdout.write("interrupted ")
    sys.stdout.write(" ".join(working_threads(or_idle=way == "loop_closed")))


if __name__ == "__main__":
    main(sys.argv[1])
