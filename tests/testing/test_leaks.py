"""What a block, or a test, left behind is found and named."""

import asyncio
import threading
from pathlib import Path

import pytest

from airssys_wasm import ActorHandle, ActorSystem, ComponentId
from airssys_wasm.testing import assert_no_leaks, contract_component
from airssys_wasm.testing.leaks import Snapshot, left_behind, live_instances, resident_bytes

GUEST = ComponentId("demo", "guest", "0")


async def test_a_block_that_leaves_nothing_passes() -> None:
    """A whole system, with a guest that ran, comes and goes, whether its code was in the cache or not."""
    guests = []
    for _ in range(2):
        async with assert_no_leaks(), ActorSystem() as system:
            guests.append(await system.load(GUEST, contract_component(), execution="thread"))
            assert b"x" == await guests[-1].ask(b"x")


@pytest.fixture
async def echo(actor_system: ActorSystem) -> ActorHandle:
    """A guest whose code is in the cache."""
    guest = await actor_system.load(GUEST, contract_component())
    await actor_system.unload(guest)
    return await actor_system.load(GUEST, contract_component())


async def test_a_fixture_may_give_a_handle(echo: ActorHandle) -> None:
    """That its code stays mapped for as long as somebody has the handle is no leak of the test's."""
    assert b"x" == await echo.ask(b"x")


async def test_a_task_that_goes_on_is_named() -> None:
    """One that only has to end gets turns of the loop to do so."""
    with pytest.raises(AssertionError, match="left behind, tasks: forgotten"):
        async with assert_no_leaks(settle=0.02):
            task = asyncio.create_task(asyncio.sleep(1000), name="forgotten")
    async with assert_no_leaks(allowed={"files"}):
        task.cancel()
        ending = asyncio.create_task(asyncio.sleep(0.01))
    assert ending.done()


async def test_a_system_that_is_not_left_is_an_open_store() -> None:
    """Whoever holds it; the tasks are named too."""
    system, check = ActorSystem(), assert_no_leaks(settle=0.02, allowed={"files", "threads"})
    await check.__aenter__()
    await system.__aenter__()
    await system.load(GUEST, contract_component())
    with pytest.raises(AssertionError, match=r"left behind, tasks: .*; stores: 1 of guests"):
        await check.__aexit__(None, None, None)
    await system.__aexit__(None, None, None)
    await check.__aexit__(None, None, None)


def test_a_thread_and_a_file_are_named_outside_of_a_loop_too() -> None:
    """By a plain `with`."""
    go, check = threading.Event(), assert_no_leaks(settle=0)
    thread = threading.Thread(name="worker", target=go.wait)
    check.__enter__()
    thread.start()
    with Path(__file__).open(), pytest.raises(AssertionError) as caught:
        check.__exit__(None, None, None)
    assert f"left behind, threads: worker; files: {__file__}" == str(caught.value)
    go.set()
    thread.join()
    check.__exit__(None, None, None)


def test_what_may_stay_is_not_named_and_errors_go_first() -> None:
    """A block that fails fails by its own error."""
    with assert_no_leaks(allowed={"files"}, settle=0):
        file = Path(__file__).open()  # noqa: SIM115 - left on purpose
    file.close()
    check = assert_no_leaks(settle=0)
    check.__enter__()
    with Path(__file__).open():
        check.__exit__(ZeroDivisionError, ZeroDivisionError(), None)


def test_a_thread_that_is_about_to_end_gets_time() -> None:
    """Worker threads end just after the loop that used them; that is no leak."""
    before = Snapshot.take()
    go = threading.Event()
    thread = threading.Thread(target=go.wait, name="about-to-end")
    thread.start()
    assert {"threads": ["about-to-end"]} == left_behind(before, settle=0)
    assert {} == left_behind(before, allowed={"threads"}, settle=0)
    go.set()
    assert {} == left_behind(before)


def test_live_instances_are_found_by_either_name() -> None:
    """Objects that are gone are not counted, in a cycle or not."""

    class Kept:
        pass

    kept, gone = Kept(), Kept()
    gone.self = gone  # type: ignore[attr-defined]
    del gone
    assert [kept] == live_instances("Kept")
    assert [kept] == live_instances(f"{__name__}.{Kept.__qualname__}")


def test_resident_memory_is_that_of_this_process() -> None:
    """A block that is written to shows."""
    before = resident_bytes()
    block = bytearray(b"x") * (64 << 20)
    assert resident_bytes() - before == pytest.approx(len(block), rel=0.5)
