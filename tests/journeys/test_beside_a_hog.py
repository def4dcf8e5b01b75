"""A guest that misbehaves costs itself; who is beside it goes on answering."""

import asyncio
from typing import Final

import pytest

from airssys_wasm import ActorState, ActorStopped, ComponentCrashed, DeadlineExceeded, Limits
from tests.contract.stage import Actor, Stage, binary, component, until

MIB: Final = 1 << 20
HOGS: Final = 100
SHORT: Final = Limits(max_execution_time=0.4)


async def answers_beside(echo: Actor, hogs: list[Actor], crime: bytes) -> tuple[int, list[object]]:
    """Ask all hogs in one turn, and the echo until they have ended; how often it answered, and how they ended."""
    for _ in range(10):
        await echo.say("known to let go in time")
    asks = [asyncio.create_task(hog.handle.ask(crime, timeout=60)) for hog in hogs]
    answers = 0
    while not all(ask.done() for ask in asks):
        assert b"x" == await echo.handle.ask(b"x", timeout=60)
        answers += 1
    return answers, list(await asyncio.gather(*asks, return_exceptions=True))


@pytest.mark.parametrize("crime", ["loop", "sleep-loop 1", "memory-bomb", "fill 60", "huge 1048576", "log-flood 200"])
async def test_echo_answers_all_the_time(stage: Stage, crime: str) -> None:
    """However the other's call ends, and its own actor answers again after it."""
    echo, hog = await stage.load("echo", "echo"), await stage.load("hog", limits=SHORT)
    answers, ends = await answers_beside(echo, [hog, hog], crime.encode())
    assert answers > 0
    for end in ends:
        assert isinstance(end, bytes | ComponentCrashed)
    assert "demo/hog/0" == await hog.say("self-id")
    assert (0, 0) == (echo.handle.statistics().crashes, echo.handle.statistics().guest_errors)


async def test_one_that_traps_in_a_loop_fails_alone(stage: Stage) -> None:
    """It is restarted three times and then left; `restart` revives it."""
    echo, hog = await stage.load("echo", "echo"), await stage.load("hog")
    ends = []
    while hog.handle.state is not ActorState.FAILED:
        with pytest.raises((ComponentCrashed, ActorStopped)) as caught:
            await hog.handle.ask(b"trap")
        ends.append(type(caught.value))
        assert b"x" == await echo.handle.ask(b"x")
        await until(lambda: hog.handle.statistics().crashes == len(ends))
        await until(lambda: hog.handle.state in {ActorState.RUNNING, ActorState.FAILED})
    assert [ComponentCrashed] * 4 == ends
    with pytest.raises(ActorStopped):
        await hog.handle.ask(b"count")
    await hog.handle.restart()
    assert "1" == await hog.say("count")


@pytest.mark.usefixtures("_at_full_speed")
async def test_a_hundred_hogs_asked_in_one_turn(stage: Stage) -> None:
    """Each ends at its own deadline; the echo goes on answering meanwhile, and all of them live again."""
    compiled = await stage.system.compile(binary("hostile"))
    echo = await stage.load("echo", "echo")
    hogs = [
        Actor(await stage.system.load(component("hog", str(number)), compiled, limits=SHORT, shutdown="brutal"))
        for number in range(HOGS)
    ]
    answers, ends = await answers_beside(echo, hogs, b"loop")
    assert answers > 0
    for end in ends:
        assert isinstance(end, ComponentCrashed)
        assert isinstance(end.__cause__, DeadlineExceeded)
    assert ["1"] * HOGS == await asyncio.gather(*[hog.say("count") for hog in hogs])
