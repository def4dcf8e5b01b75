"""The journeys of the other files on uvloop: whatever an asyncio loop is made of, they go the same way.

uvloop is libuv in C: its own timers, order of callbacks, transports and child watchers.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from airssys_wasm import ActorSystem
from airssys_wasm.security.sinks import MemorySink
from airssys_wasm.system.pipeline import Pipeline
from airssys_wasm.system.pipeline_open import open_pipeline
from tests.cli.commands import stages
from tests.contract.stage import Stage
from tests.journeys import (
    test_beside_a_hog,
    test_conversation,
    test_ending_it,
    test_first_steps,
    test_many_of_them,
    test_many_senders,
    test_where_it_runs,
)

uvloop = pytest.importorskip("uvloop")

WITH_A_STAGE: Final[list[Callable[[Stage], Awaitable[None]]]] = [
    functools.partial(test_first_steps.test_echo_answers_what_it_is_asked, size=300_000),
    test_first_steps.test_no_answer_and_an_empty_one_are_two_things,
    test_first_steps.test_a_counter_counts_and_begins_anew_after_a_crash,
    test_first_steps.test_a_memory_bomb_stops_at_its_limit,
    functools.partial(test_beside_a_hog.test_echo_answers_all_the_time, crime="loop"),
    functools.partial(test_beside_a_hog.test_echo_answers_all_the_time, crime="sleep-loop 1"),
    test_beside_a_hog.test_a_hundred_hogs_asked_in_one_turn,
    test_conversation.test_a_request_and_its_callback,
    test_conversation.test_a_round_of_three,
    test_many_of_them.test_five_hundred_actors_sleep_at_the_same_time,
    test_many_senders.test_messages_of_guests_arrive_in_order_per_sender,
    test_many_senders.test_answers_to_ten_askers_come_in_the_order_of_their_asks,
    test_many_senders.test_host_senders_keep_their_order_at_a_full_mailbox,
]

ALONE: Final[list[Callable[[], Awaitable[None]]]] = [
    functools.partial(test_ending_it.test_an_ask_that_interrupts, "hostile", "loop"),
    functools.partial(test_ending_it.test_an_unload, "hostile", "loop"),
    functools.partial(test_ending_it.test_leaving_the_system, "hostile", "sleep 100000", by_exception=True),
    test_where_it_runs.test_entering_and_leaving_in_different_tasks,
    test_where_it_runs.test_two_systems_in_one_loop_know_nothing_of_each_other,
]


@pytest.fixture(scope="module", autouse=True)
def _libuv_has_its_pipe() -> Iterator[None]:
    """The first loop opens a pipe for signals that libuv keeps as long as the process lives."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.sleep(0))
        yield


def on_uvloop(journey: Callable[[], Awaitable[None]]) -> None:
    """Run on a loop of its own, and find no task left on it."""

    async def go() -> None:
        assert "uvloop" == type(asyncio.get_running_loop()).__module__
        await journey()
        assert {asyncio.current_task()} == asyncio.all_tasks()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(go())


def _name(journey: Callable[..., object]) -> str:
    if isinstance(journey, functools.partial):
        given = [*journey.args, *journey.keywords.values()]
        return "-".join([journey.func.__name__, *map(str, given)])
    return journey.__name__


@pytest.mark.parametrize("journey", WITH_A_STAGE, ids=_name)
def test_with_a_stage(journey: Callable[[Stage], Awaitable[None]]) -> None:
    """Each in a system of its own."""

    async def go() -> None:
        sink = MemorySink()
        async with ActorSystem(audit=[sink]) as system:
            await journey(Stage(system, sink))

    on_uvloop(go)


@pytest.mark.parametrize("journey", ALONE, ids=_name)
def test_alone(journey: Callable[[], Awaitable[None]]) -> None:
    """Those that make their systems themselves."""
    on_uvloop(journey)


def test_a_pipeline(tmp_path: Path) -> None:
    """Threads that read and write, channels, and the end of the input."""
    (tmp_path / "in").write_bytes(b"".join(b"%d\n" % number for number in range(2000)))

    async def go() -> None:
        plan = await open_pipeline(stages(tmp_path, ["echo", "echo"]), input=tmp_path / "in", output=tmp_path / "out")
        summary = await Pipeline(plan).run()
        assert (True, 2000) == (summary.ok, summary.results)

    on_uvloop(go)
    assert (tmp_path / "in").read_bytes() == (tmp_path / "out").read_bytes()
