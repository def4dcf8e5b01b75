"""What a system says, kept for a test."""

import pytest

from airssys_wasm import ActorSystem, ComponentCrashed, ComponentId, DeadLetterReason, EventKind, TargetNotFound
from airssys_wasm.testing import OBEDIENT, ManualClock, Recorder, ScriptedHost

A, B = ComponentId("demo", "a", "0"), ComponentId("demo", "b", "0")


async def test_what_happened_is_there_at_once(scripted_system: ActorSystem, manual_clock: ManualClock) -> None:
    """Events of one component or of all, and dead letters with their reasons."""
    recorder = Recorder(scripted_system)
    a, _ = await scripted_system.load(A, OBEDIENT), await scripted_system.load(B, OBEDIENT)
    with pytest.raises(ComponentCrashed):
        await a.ask(b"trap", timeout=None)
    with pytest.raises(TargetNotFound):
        await scripted_system.send(None, ComponentId("demo", "nobody", "0"), b"hello")
    assert [(b"hello", DeadLetterReason.TARGET_NOT_FOUND)] == recorder.letters()[1:]
    assert [EventKind.STARTED] == recorder.kinds(B)
    await manual_clock.advance(1)
    assert ["started", "crashed", "restarting", "started"] == recorder.kinds(A)


async def test_what_is_to_come_is_waited_for() -> None:
    """And given up with what did happen."""
    async with ActorSystem(host=ScriptedHost()) as system:
        recorder = Recorder(system)
        a = await system.load(A, OBEDIENT)
        await a.tell(b"trap")
        await recorder.until_kind("started", 2)
        with pytest.raises(TimeoutError, match=r"never came.*crashed"):
            await recorder.until(lambda seen: len(seen.dead_letters) > 1, timeout=0.02)


async def test_a_recorder_that_lost_something_says_so(scripted_system: ActorSystem) -> None:
    """A stream is bounded: a test that looks too late must not believe that nothing happened."""
    recorder, a = Recorder(scripted_system), await scripted_system.load(A, OBEDIENT)
    for _ in range(400):
        await a.restart()
    with pytest.raises(AssertionError, match="177 were lost"):
        _ = recorder.events
