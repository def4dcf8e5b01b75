"""What the rows of `host-services` cannot show: the log, the clock, and who is held up by a sleep."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from airssys_wasm import ComponentCrashed, DeadlineExceeded, Limits
from tests.contract.services_rows import LEVELS
from tests.contract.stage import NOTHING, Stage

LOGGER = "airssys_wasm.guest"
Log = Callable[[], list[Any]]
NUMBERS = dict(zip(LEVELS, (5, logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR), strict=True))


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Log:
    """What guests have written so far, of every level."""
    caplog.set_level(1, LOGGER)
    return lambda: [record for record in caplog.records if record.name == LOGGER]


@pytest.mark.parametrize(("level", "number"), NUMBERS.items())
async def test_a_line_has_its_level_component_and_context(stage: Stage, log: Log, level: str, number: int) -> None:
    """As fields of the record and in its text."""
    asker = await stage.load("asker", capabilities=NOTHING)
    await asker.say(f"log-with {level} table=users,rows=3 reading")
    record: Any = log()[-1]
    assert (LOGGER, number) == (record.name, record.levelno)
    assert ("demo/asker/0", (("table", "users"), ("rows", "3")), 0) == (
        record.component,
        record.guest_context,
        record.dropped,
    )
    assert "demo/asker/0: reading table=users rows=3" == record.getMessage()


async def test_newlines_and_terminal_escapes_are_escaped(stage: Stage, log: Log) -> None:
    """In the message and in the context: a guest cannot forge a line or move the cursor."""
    asker = await stage.load("asker", capabilities=NOTHING)
    await asker.say("log-with info a\x1b[1m=b\rc,\u2028=\u202e x\ny\x1b[2J\x00\x9b")
    assert r"demo/asker/0: x\ny\x1b[2J\x00\x9b a\x1b[1m=b\rc \u2028=\u202e" == log()[-1].getMessage()
    assert all(character.isprintable() for character in log()[-1].getMessage())


async def test_a_long_line_is_cut(stage: Stage, log: Log) -> None:
    """It says how long it was."""
    asker = await stage.load("asker", capabilities=NOTHING)
    await asker.say("log-flood 1 100000")
    assert log()[-1].getMessage().endswith("x… (100000 characters)")
    assert len(log()[-1].getMessage()) < 5000


async def test_a_flood_is_cut_and_the_next_line_says_how_many_were_dropped(stage: Stage, log: Log) -> None:
    """Nothing goes missing uncounted."""
    asker = await stage.load("asker", capabilities=NOTHING)
    for _ in range(3):  # a component that is known runs on the loop, where host calls come faster than the bucket fills
        await asker.say("count")
    await asker.say("log-flood 600")
    assert len(log()) < 600
    await asyncio.sleep(0.05)  # in which the bucket gets five lines more
    await asker.say("log info last")
    dropped = sum(record.dropped for record in log())
    assert 601 == len(log()) + dropped
    assert f"({log()[-1].dropped} lines dropped before this)" in log()[-1].getMessage()


async def test_the_clocks_say_what_time_it_is(stage: Stage) -> None:
    """Between just before and just after, both of them."""
    asker = await stage.load("asker", capabilities=NOTHING)
    before = time.time_ns()
    seconds, nanoseconds = map(int, (await asker.say("time")).split())
    millis = int(await asker.say("millis"))
    after = time.time_ns()
    assert before <= seconds * 10**9 + nanoseconds <= after
    assert before // 10**6 <= millis <= after // 10**6
    assert nanoseconds < 10**9


async def test_a_sleep_suspends_the_guest_and_not_the_loop(stage: Stage) -> None:
    """It takes at least its time, and meanwhile another is asked."""
    asker = await stage.load("asker", capabilities=NOTHING)
    echo = await stage.load("echo", "echo")
    started = time.monotonic()
    sleeping = asyncio.create_task(asker.say("sleep 200"))
    answers = 0
    while not sleeping.done():
        answers += await echo.say("x") == "x"
    assert await sleeping == "ok"
    assert time.monotonic() - started >= 0.2
    assert answers > 5


@pytest.mark.parametrize("duration_ms", [60_000, 10**18])
async def test_the_deadline_of_the_call_ends_a_sleep(stage: Stage, duration_ms: int) -> None:
    """And the call with it."""
    asker = await stage.load("asker", limits=Limits(max_execution_time=0.1))
    with pytest.raises(ComponentCrashed) as caught:
        await asker.handle.ask(f"sleep {duration_ms}".encode())
    assert isinstance(caught.value.__cause__, DeadlineExceeded)
    assert "1" == await asker.say("count")
