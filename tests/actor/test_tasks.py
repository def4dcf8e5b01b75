"""`actor/tasks.py`: the tasks that actors live in."""

import asyncio
from contextvars import ContextVar

import anyio

from airssys_wasm.actor.tasks import ActorTasks

WHO: ContextVar[str] = ContextVar("who", default="nobody")


async def test_a_task_has_the_context_of_its_owner_and_not_of_who_starts_it() -> None:
    """Otherwise a component that a handler loads would be taken for the handler; nor has one what another set."""
    token = WHO.set("owner")
    tasks, seen = ActorTasks(), list[str]()
    WHO.reset(token)

    async def look() -> None:
        seen.append(WHO.get())
        WHO.set("a task")

    WHO.set("starter")
    tasks.start(look(), "first")
    tasks.start(look(), "second")
    await tasks.over()
    assert ["owner", "owner"] == seen
    assert "starter" == WHO.get()


async def test_the_owner_waits_for_the_last_also_for_one_that_another_starts() -> None:
    """The name is that of the task."""
    tasks, names, gate = ActorTasks(), list[str](), asyncio.Event()

    async def second() -> None:
        await gate.wait()
        names.append(_name())

    async def first() -> None:
        await asyncio.sleep(0)
        tasks.start(second(), "b")
        names.append(_name())
        asyncio.get_running_loop().call_soon(gate.set)

    tasks.start(first(), "a")
    await tasks.over()
    assert ["a", "b"] == names
    await tasks.over()  # of none


async def test_an_owner_that_is_cancelled_waits_all_the_same() -> None:
    """It has told its tasks to end, and they may take their time for that."""
    tasks, gate, ended = ActorTasks(), asyncio.Event(), list[str]()

    async def life() -> None:
        await gate.wait()
        ended.append("life")

    tasks.start(life(), "life")
    with anyio.CancelScope() as scope:
        scope.cancel()
        asyncio.get_running_loop().call_later(0.01, gate.set)
        await tasks.over()
        ended.append("owner")
    assert ["life", "owner"] == ended


def _name() -> str:
    task = asyncio.current_task()
    return "" if task is None else task.get_name()
