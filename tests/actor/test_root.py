"""The one bare task, and that its end cannot be broken off."""

import asyncio

import pytest

from airssys_wasm.actor.root import RootTask
from airssys_wasm.testing.clock import settle


async def test_it_is_left_in_another_task_once_all_has_ended() -> None:
    """What is to be closed is closed last."""
    story: list[str] = []

    async def work() -> None:
        await go.wait()
        story.append("worked")

    async def close() -> None:
        story.append("closed")

    go = asyncio.Event()
    root = RootTask("root", close)
    await asyncio.create_task(root.__aenter__())
    root.group.start_soon(work)
    leaving = asyncio.create_task(root.__aexit__(None, None, None))
    await settle()
    assert (False, []) == (leaving.done(), story)
    go.set()
    await leaving
    assert ["worked", "closed"] == story


async def test_cancelling_who_leaves_cancels_the_group_and_not_its_end() -> None:
    """However often; then the cancellation comes out."""
    closing, closed = asyncio.Event(), asyncio.Event()

    async def close() -> None:
        closing.set()
        await closed.wait()

    root = RootTask("root", close)
    await root.__aenter__()
    root.group.start_soon(asyncio.Event().wait)
    leaving = asyncio.create_task(root.__aexit__(None, None, None))
    await settle()
    leaving.cancel()
    await closing.wait()
    leaving.cancel()
    await settle()
    assert not leaving.done()
    closed.set()
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_cancelling_who_enters_leaves_no_task() -> None:
    """And what was to be closed is closed."""
    closed = asyncio.Event()

    async def close() -> None:
        closed.set()

    root = RootTask("root", close)
    entering = asyncio.create_task(root.__aenter__())
    await asyncio.sleep(0)
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert closed.is_set()


async def test_what_a_task_of_the_group_raises_comes_out() -> None:
    """A bug is not kept silent."""

    async def bug() -> None:
        raise ZeroDivisionError

    root = RootTask("root")
    await root.__aenter__()
    root.group.start_soon(bug)
    with pytest.raises(ExceptionGroup) as caught:
        await root.__aexit__(None, None, None)
    assert [ZeroDivisionError] == [type(each) for each in caught.value.exceptions]
