"""Which calls count for and against a component."""

import pytest

from airssys_wasm.core.errors import DeadlineExceeded
from airssys_wasm.core.limits import Limits
from airssys_wasm.runtime import scheduler
from airssys_wasm.runtime.abi.pace import BYTE_STEP, MOST_STEPS
from airssys_wasm.runtime.conduct import LARGE_FRAME_BYTES, Conduct
from tests.runtime.guests import Start, ask, said


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The longest step of each call that is put on record."""
    judged, record = list[float](), Conduct.record

    def noted(conduct: Conduct, longest_step: float, *, on_thread: bool) -> None:
        judged.append(longest_step)
        record(conduct, longest_step, on_thread=on_thread)

    monkeypatch.setattr(Conduct, "record", noted)
    return judged


@pytest.mark.parametrize(("byte_path", "size"), [(True, LARGE_FRAME_BYTES + 1), (False, (MOST_STEPS + 1) * BYTE_STEP)])
async def test_the_copying_of_a_large_payload_is_not_held_against_the_guest(
    start: Start, judged: list[float], size: int
) -> None:
    """Such a call has a thread anyway; the short ones after it keep the loop. As one block more is not large yet."""
    guest = await start("echo")
    judged.clear()
    await ask(guest, bytes(size))
    large = len(judged)
    await ask(guest, b"small")
    assert (0, 1) == (large, len(judged))


@pytest.mark.parametrize(("long_step", "counted"), [(-1.0, 1), (1e9, 0)])
async def test_a_call_that_was_stopped_counts_only_against_the_guest(
    start: Start, judged: list[float], monkeypatch: pytest.MonkeyPatch, long_step: float, counted: int
) -> None:
    """It may have held the loop for long before; its end says nothing in its favour."""
    guest = await start(limits=Limits(max_execution_time=0.05))
    judged.clear()
    monkeypatch.setattr(scheduler, "LONG_STEP", long_step)
    with pytest.raises(DeadlineExceeded):
        await said(guest, "loop")
    assert counted == len(judged)
