"""A first step that one task makes, and the rest in another; scripted guests begin messages with it."""

import asyncio

import pytest

from airssys_wasm.testing.first_step import FirstStep


async def _twice(first: "asyncio.Future[int]", second: "asyncio.Future[int]", seen: list[str]) -> int:
    seen.append("begun")
    try:
        return await first + await second
    finally:
        seen.append("over")


async def _nothing_to_wait_for() -> int:
    return 7


def _futures() -> "tuple[asyncio.Future[int], asyncio.Future[int]]":
    loop = asyncio.get_running_loop()
    return loop.create_future(), loop.create_future()


async def test_what_waits_for_nothing_has_ended() -> None:
    """Its value is there at once."""
    step = FirstStep(_nothing_to_wait_for())
    assert (True, 7) == (step.ended, step.value)


async def test_another_task_goes_on_where_it_waits() -> None:
    """Also when what it waits for has come meanwhile."""
    (first, second), seen = _futures(), list[str]()
    step = FirstStep(_twice(first, second, seen))
    assert (False, ["begun"]) == (step.ended, seen)
    first.set_result(1)
    rest = asyncio.ensure_future(step)
    await asyncio.sleep(0)
    second.set_result(2)
    assert 3 == await rest


async def test_an_error_goes_to_where_it_waits() -> None:
    """What is thrown into the task that goes on is thrown into the coroutine, which sees to it."""
    (first, second), seen = _futures(), list[str]()
    rest = asyncio.ensure_future(FirstStep(_twice(first, second, seen)))
    await asyncio.sleep(0)
    rest.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rest
    assert ["begun", "over"] == seen
    assert first.cancelled()


async def test_what_nobody_goes_on_with_is_closed() -> None:
    """It is over then, wherever it waited."""
    (first, second), seen = _futures(), list[str]()
    FirstStep(_twice(first, second, seen)).close()
    assert ["begun", "over"] == seen
    assert not first.done()
