"""Leaving a system in the middle of things: by any way it ends soon, everybody hears of it once, nothing is left."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest

from airssys_wasm import (
    ActorState,
    ActorStopped,
    ActorSystem,
    ComponentId,
    ComponentMessage,
    ComponentSpec,
    Limits,
    SupervisorSpec,
)
from airssys_wasm.testing.leaks import live_instances
from tests.contract.stage import EVERYTHING, binary, component, until
from tests.runtime.plugins import API, KV, Kv

BOUND: Final = 10.0
"""Seconds; the systems of this file give their components a thirtieth of that."""

FOREVER: Final = Limits(max_execution_time=1e6, mailbox_capacity=4)
SETTINGS: Final[dict[str, Any]] = {"limits": FOREVER, "shutdown": "infinite", "capabilities": EVERYTHING}
SERVED: Final = ComponentId("host", "app", "served")

Situation = Callable[[ActorSystem], Awaitable["list[asyncio.Task[Any]]"]]


def ask(system: ActorSystem, name: str | ComponentId, command: bytes) -> "asyncio.Task[bytes | None]":
    """Ask in a task of its own, without a timeout."""
    handle = system.get(name if isinstance(name, ComponentId) else component(name))
    assert handle is not None
    return asyncio.create_task(handle.ask(command, timeout=None))


async def begun(system: ActorSystem, name: str | ComponentId, command: bytes) -> "asyncio.Task[bytes | None]":
    """Ask, and wait until the guest is at it."""
    asking, handle = ask(system, name, command), system.get(name if isinstance(name, ComponentId) else component(name))
    await asyncio.sleep(0)
    await until(lambda: handle is not None and not handle.statistics().mailbox.waiting)
    return asking


def tree(*children: ComponentSpec, **settings: Any) -> SupervisorSpec[ComponentSpec]:
    """One supervisor."""
    of: list[Any] = list(children)
    return SupervisorSpec(name="app", children=of, **settings)


async def in_a_loop(system: ActorSystem) -> "list[asyncio.Task[Any]]":
    """A guest that never answers, with a full mailbox behind it and senders that wait for room."""
    handle = await system.load(component("a"), binary("hostile"), **SETTINGS)
    asking = [await begun(system, "a", b"loop"), *(ask(system, "a", b"count") for _ in range(9))]
    await until(lambda: handle.statistics().mailbox.senders_waiting == 5)
    return [*asking, asyncio.create_task(handle.tell(b"count"))]


async def in_a_host_function(system: ActorSystem) -> "list[asyncio.Task[Any]]":
    """One sleeps, one waits for room in the mailbox of the other."""
    await system.load(component("a"), binary("hostile"), **SETTINGS)
    patient = SETTINGS | {"limits": Limits(max_execution_time=1e6, send_wait=1e6)}
    await system.load(component("b"), binary("hostile"), **patient)
    asking = [await begun(system, "a", b"sleep 10000000"), *(ask(system, "a", b"count") for _ in range(4))]
    sending = await begun(system, "b", b"send demo|a|0 hello")
    sending.add_done_callback(lambda task: task.exception())  # hears in time that the other one has stopped, or not
    return asking


async def in_a_handler(system: ActorSystem) -> "list[asyncio.Task[Any]]":
    """Host code that is served, and never returns."""

    async def never(_message: ComponentMessage) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    await system.serve(SERVED, never, limits=FOREVER)
    return [await begun(system, SERVED, b"x"), ask(system, SERVED, b"y")]


async def importing(system: ActorSystem, kv: object) -> "list[asyncio.Task[Any]]":
    """Two calls of a component, the first of which is in what it imports."""
    plugin = await system.load(component("a"), binary("plugin"), imports={KV: kv}, **SETTINGS)
    calls = [asyncio.create_task(plugin.call(API, "wait", number, timeout=None)) for number in range(2)]
    await until(lambda: plugin.statistics().mailbox.waiting == 1)
    living: Any = plugin._child.actor
    await until(lambda: living._guest._fiber.host_call is not None)
    return calls


async def in_an_import(system: ActorSystem) -> "list[asyncio.Task[Any]]":
    """Host code that never returns, behind what a component imports."""

    class Never(Kv):
        async def wait(self, number: int) -> int:
            await asyncio.Event().wait()
            return number

    return await importing(system, Never())


async def in_its_goodbye(system: ActorSystem) -> "list[asyncio.Task[Any]]":
    """An endless loop in `shutdown`."""
    await system.load(component("a"), binary("hostile"), config="shutdown-loop", **SETTINGS)
    return []


async def in_initialize(system: ActorSystem) -> "list[asyncio.Task[Any]]":
    """A load, and the start of a tree."""
    settings = SETTINGS | {"config": "init-loop"}
    loading = asyncio.create_task(system.load(component("a"), binary("hostile"), **settings))
    b = ComponentSpec(component("b"), binary("hostile"), **SETTINGS)
    c = ComponentSpec(component("c"), binary("hostile"), **settings)
    growing = asyncio.create_task(system.supervise(tree(b, c)))
    await until(lambda: system.get(component("b")) is not None)
    return [loading, growing]


async def in_a_back_off(system: ActorSystem) -> "list[asyncio.Task[Any]]":
    """A tree that will be started again, in an hour."""
    children = [ComponentSpec(component(name), binary("hostile"), **SETTINGS) for name in "ab"]
    await system.supervise(tree(*children, strategy="one_for_all", backoff_initial=3600.0, backoff_max=3600.0))
    with contextlib.suppress(Exception):
        await ask(system, "a", b"trap")
    handle = system.get(component("b"))
    await until(lambda: handle is not None and handle.state is ActorState.RESTARTING)
    return [ask(system, "a", b"count"), ask(system, "b", b"count")]


async def in_a_failing_tree(system: ActorSystem) -> "list[asyncio.Task[Any]]":
    """It has given up, but a child does not come to an end."""
    children = [ComponentSpec(component(name), binary("hostile"), **SETTINGS) for name in "abc"]
    await system.supervise(tree(*children, intensity=0))
    looping = await begun(system, "b", b"loop")
    with contextlib.suppress(Exception):
        await ask(system, "a", b"trap")
    handle = system.get(component("c"))
    await until(lambda: handle is not None and handle.state is not ActorState.RUNNING)
    return [looping, ask(system, "b", b"count"), ask(system, "c", b"count")]


async def in_a_drain(system: ActorSystem) -> "list[asyncio.Task[Any]]":
    """An unload that waits for a queue behind a loop, and one that waits for nothing but the loop."""
    handles = [await system.load(component(name), binary("hostile"), **SETTINGS) for name in "ab"]
    asking = [await begun(system, "a", b"loop"), await begun(system, "b", b"loop"), ask(system, "a", b"count")]
    await asyncio.sleep(0)
    unloading = [asyncio.create_task(system.unload(handle, drain=number == 0)) for number, handle in enumerate(handles)]
    await until(lambda: {handle.state for handle in handles} == {ActorState.STOPPING})
    for task in unloading:
        task.add_done_callback(lambda task: task.exception())
    return asking


async def by_itself() -> None:
    """The end of the block."""


async def by_an_exception() -> None:
    """Out of the block."""
    raise ZeroDivisionError


async def by_a_cancellation() -> None:
    """Of the task that is in the block."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.Event().wait()


async def by_two_cancellations() -> None:
    """Of the task that leaves, while it does; then of what is left of it."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    loop.call_later(0.02, task.cancel)
    loop.call_later(0.03, task.cancel)


WAYS: Final = (by_itself, by_an_exception, by_a_cancellation, by_two_cancellations)
SITUATIONS: Final[tuple[Situation, ...]] = (
    in_a_loop,
    in_a_host_function,
    in_an_import,
    in_a_handler,
    in_its_goodbye,
    in_initialize,
    in_a_back_off,
    in_a_failing_tree,
    in_a_drain,
)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.__name__)
async def test_it_ends_within_its_bound_and_nobody_waits_for_ever(
    situation: Situation, way: Callable[[], Awaitable[None]]
) -> None:
    """Each asker, sender and loader hears once that it has stopped; no Store is left, nor what the leak check finds."""
    await leave(situation, way)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_host_code_that_takes_no_notice_of_its_cancellation_is_left_behind(
    way: Callable[[], Awaitable[None]], caplog: pytest.LogCaptureFixture
) -> None:
    """Behind what a component imports; the log says so."""
    go, ended = asyncio.Event(), asyncio.Event()

    class Stubborn(Kv):
        async def wait(self, number: int) -> int:
            while not go.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await go.wait()
            ended.set()
            return number

    await leave(lambda system: importing(system, Stubborn()), way)
    assert 1 == caplog.text.count("is left behind")
    assert not ended.is_set()
    go.set()
    await ended.wait()


async def leave(situation: Situation, way: Callable[[], Awaitable[None]]) -> None:
    """Use a system until then, and leave it like that."""
    waiting: list[asyncio.Task[Any]] = []
    started = 0.0

    async def use() -> None:
        nonlocal started
        async with ActorSystem(stop_timeout=0.1) as system:
            waiting.extend(await situation(system))
            started = time.monotonic()
            await way()

    using = asyncio.create_task(use())
    await asyncio.wait([using], timeout=60)
    assert using.done()
    assert time.monotonic() - started < BOUND
    assert (way in {by_a_cancellation, by_two_cancellations}) >= using.cancelled()
    if not using.cancelled():
        assert (ZeroDivisionError if way is by_an_exception else type(None)) is type(using.exception())
    done, pending = await asyncio.wait(waiting, timeout=BOUND) if waiting else (set(), set())
    assert set() == pending
    assert {ActorStopped} >= {type(task.exception()) for task in done}, [task.exception() for task in done]
    del using, done
    waiting.clear()  # an exception that is kept keeps what is in its frames
    await until(lambda: not live_instances("airssys_wasm.runtime.store.GuestStore"))  # a thread may be at its last step
