"""How it is asked for its health, and when it is left alone, with a clock that the tests move."""

import pytest

from airssys_wasm.actor.child import Child
from airssys_wasm.actor.restarts import RestartPolicy
from airssys_wasm.core.config import Restart
from airssys_wasm.core.errors import Trap
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.health import HealthCheck
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.observations import ActorState, EventKind
from airssys_wasm.core.ports import HealthStatus
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import Script, ScriptedGuest
from tests.actor.bench import Bench

CHECK = HealthCheck()


class Patient:
    """Answers as it is told; the last word holds on. `hang` waits until it is resumed, `trap` traps."""

    def __init__(self, *words: str) -> None:
        self.words = list(words)
        self.calls: list[float] = []

    async def health(self, guest: ScriptedGuest) -> bytes | None:
        """The next word."""
        self.calls.append(guest.host.clock.time() - 1000.0)
        word = self.words.pop(0) if len(self.words) > 1 else self.words[0]
        if word == "hang":
            return await guest.pause()
        if word == "trap":
            raise Trap("in health", "unreachable")
        return word.encode()

    @property
    def script(self) -> Script:
        """For a guest."""
        return Script(on_health=self.health)


def ends(bench: Bench) -> list[ExitReason | None]:
    """Why instances crashed."""
    return [event.reason for event in bench.observer.events if event.kind is EventKind.CRASHED]


async def test_it_is_not_asked_unless_that_is_wanted(bench: Bench) -> None:
    """No check, no call and no timer."""
    patient = Patient("unhealthy")
    child = await bench.start(script=patient.script)
    await bench.clock.advance(1000.0)
    assert ([], [], None) == (patient.calls, bench.clock.pending, child.statistics().health)


async def test_it_is_asked_every_ten_seconds(bench: Bench) -> None:
    """The first time ten seconds after its start; with one timer."""
    patient = Patient("healthy")
    child = await bench.start(script=patient.script, health=CHECK)
    assert child.statistics().health is None
    await bench.clock.advance(35.0)
    assert [10.0, 20.0, 30.0] == patient.calls
    assert (HealthStatus.HEALTHY, 0, True) == _known(child)
    assert 1 == len(bench.clock.pending)


async def test_three_bad_answers_in_a_row_restart_it(bench: Bench) -> None:
    """It counts as a crash, is not followed by `shutdown`, and the next instance is asked anew."""
    patient = Patient("unhealthy", "unhealthy", "unhealthy", "healthy")
    child = await bench.start(script=patient.script, health=CHECK)
    await bench.clock.advance(29.9)
    assert [] == ends(bench)
    assert (HealthStatus.UNHEALTHY, 2, True) == _known(child)
    await bench.clock.advance(0.2)
    assert [ExitReason(ExitKind.CRASHED, "unhealthy")] == ends(bench)
    assert [] == bench.host.calls("shutdown")
    await bench.clock.advance(9.0)
    assert (1, 1) == (child.crashes, child.restarts)
    assert (None, 0, True) == _known(child)
    await bench.clock.advance(2.0)
    assert (HealthStatus.HEALTHY, 0, True) == _known(child)


async def test_one_good_answer_resets_the_count(bench: Bench) -> None:
    """Two bad ones, a good one, two bad ones: it lives."""
    patient = Patient("unhealthy", "unhealthy", "degraded", "unhealthy", "unhealthy", "healthy")
    child = await bench.start(script=patient.script, health=CHECK)
    await bench.clock.advance(65.0)
    assert ([], 6, 0) == (ends(bench), len(patient.calls), child.health.bad)


async def test_degraded_never_restarts(bench: Bench) -> None:
    """However long it goes on."""
    child = await bench.start(script=Patient("degraded").script, health=CHECK)
    await bench.clock.advance(300.0)
    assert (ActorState.RUNNING, 0) == (child.state, child.crashes)


@pytest.mark.parametrize(("restart", "state"), [("temporary", "stopped"), ("transient", "running")])
async def test_unhealthy_is_a_crash_to_the_plan(bench: Bench, restart: str, state: str) -> None:
    """A temporary component is gone."""
    policy = RestartPolicy(restart=Restart(restart))
    patient = Patient("unhealthy", "unhealthy", "unhealthy", "healthy")
    child = await bench.start(script=patient.script, health=CHECK, policy=policy)
    await bench.clock.advance(31.0)
    assert state == child.state


async def test_always_unhealthy_uses_up_the_intensity(bench: Bench) -> None:
    """As any crash does, when the restarts come close enough together."""
    check = HealthCheck(interval=1.0, timeout=1.0, failures=1)
    child = await bench.start(script=Patient("unhealthy").script, health=check)
    await bench.clock.advance(30.0)
    assert (ActorState.FAILED, 4) == (child.state, child.crashes)


async def test_a_trap_in_health_is_a_crash_at_once(bench: Bench) -> None:
    """The instance is spent: there is nothing to count."""
    child = await bench.start(script=Patient("trap", "healthy").script, health=CHECK)
    await bench.clock.advance(10.05)
    assert ["Execution error: in health"] == [reason.detail for reason in ends(bench) if reason]
    await bench.clock.advance(10.0)
    assert (ActorState.RUNNING, 1) == (child.state, child.crashes)


async def test_a_late_answer_is_one_bad_answer_and_costs_nothing_else(bench: Bench) -> None:
    """The call is left alone; messages wait for it, and the next check is an interval after the answer."""
    patient = Patient("hang", "healthy")
    child = await bench.start(script=patient.script, health=CHECK)
    await bench.clock.advance(10.0)
    asking = bench.asking(child, b"hello")
    await bench.clock.advance(6.0)
    assert (HealthStatus.UNHEALTHY, 1, True) == _known(child)
    assert not asking.done()
    bench.guest().resume(b"healthy")
    assert b"hello" == await asking
    assert (HealthStatus.UNHEALTHY, 1, True) == _known(child)
    await bench.clock.advance(9.9)
    assert [10.0] == patient.calls
    await bench.clock.advance(0.2)
    assert (HealthStatus.HEALTHY, 0, True) == _known(child)


async def test_a_call_that_hangs_is_a_bad_answer_for_each_check_that_it_misses(bench: Bench) -> None:
    """Late at 15, 25 and 35 s: three bad answers, and the guest is stopped in the middle of the call."""
    patient = Patient("hang", "healthy")
    child = await bench.start(script=patient.script, health=CHECK, limits=Limits(max_execution_time=3600.0))
    await bench.clock.advance(34.9)
    assert ([], 2) == (ends(bench), child.health.bad)
    await bench.clock.advance(0.2)
    assert [ExitReason(ExitKind.CRASHED, "unhealthy")] == ends(bench)
    await bench.clock.advance(1.0)
    assert b"on" == await bench.ask(child, b"on")


async def test_the_deadline_of_every_call_ends_this_one_too(bench: Bench) -> None:
    """`max_execution_time` holds for `health`; that is a crash."""
    await bench.start(script=Patient("hang").script, health=CHECK, limits=Limits(max_execution_time=2.0))
    await bench.clock.advance(12.05)
    assert ["more than 2 s" in reason.detail for reason in ends(bench) if reason] == [True]


async def test_a_long_message_does_not_make_it_unhealthy(bench: Bench) -> None:
    """The check waits for the message, and its time begins with the call."""
    patient = Patient("healthy")
    child = await bench.start(script=patient.script, health=CHECK, limits=Limits(max_execution_time=3600.0))
    asking = bench.asking(child, b"wait")
    await bench.clock.advance(1000.0)
    assert ([], 0) == (patient.calls, child.health.bad)
    bench.guest().resume(b"done")
    assert b"done" == await asking
    await settle()
    assert [1000.0] == patient.calls
    assert (HealthStatus.HEALTHY, 0, True) == _known(child)


async def test_a_long_queue_does_not_make_it_unhealthy(bench: Bench) -> None:
    """The check goes ahead of what waits, between two messages."""
    patient = Patient("healthy")
    child = await bench.start(script=patient.script, health=CHECK)
    asking = [bench.asking(child, b"sleep 4") for _ in range(10)]
    await bench.clock.advance(45.0)
    assert [12.0, 24.0, 36.0] == patient.calls
    assert (HealthStatus.HEALTHY, 0, True) == _known(child)
    assert all(task.done() for task in asking)


async def test_observers_hear_of_each_new_answer(bench: Bench) -> None:
    """Of changes only: thousands of healthy components are no news."""
    patient = Patient("healthy", "healthy", "degraded", "degraded", "unhealthy", "healthy")
    await bench.start(script=patient.script, health=CHECK)
    await bench.clock.advance(65.0)
    told = [event.health for event in bench.observer.events if event.kind is EventKind.HEALTH]
    assert ["healthy", "degraded", "unhealthy", "healthy"] == told


async def test_a_stop_waits_for_the_check_as_for_a_message(bench: Bench) -> None:
    """And is bounded by the grace period."""
    child = await bench.start(script=Patient("hang").script, health=CHECK)
    await bench.clock.advance(10.0)
    await settle()
    bench.supervisor._post(lambda: bench.supervisor._children.stop(child))
    await bench.clock.advance(4.9)
    assert "stopping" == child.state
    await bench.clock.advance(0.2)
    assert "stopped" == child.state


async def test_a_check_does_not_keep_it_awake(bench: Bench) -> None:
    """Only messages do; asleep it is not asked, and keeps its last answer."""
    patient = Patient("healthy")
    child = await bench.start(script=patient.script, health=CHECK, passivate_after=25.0)
    await bench.clock.advance(24.0)
    assert b"x" == await bench.ask(child, b"x")
    await bench.clock.advance(24.9)
    assert ActorState.RUNNING is child.state
    await bench.clock.advance(0.2)
    assert (ActorState.ASLEEP, []) == (child.state, bench.clock.pending)
    await bench.clock.advance(1000.0)
    assert [10.0, 20.0, 30.0, 40.0] == patient.calls
    assert (HealthStatus.HEALTHY, 0, False) == _known(child)


async def test_one_timer_does_for_health_and_sleep(bench: Bench) -> None:
    """A thousand components that do nothing are a thousand timers and no more tasks than before."""
    for number in range(20):
        await bench.start(f"n{number}", Patient("healthy").script, health=CHECK, passivate_after=60.0)
    assert 20 == len(bench.clock.pending)
    await bench.clock.advance(35.0)
    assert 20 == len(bench.clock.pending)


def _known(child: Child) -> tuple[HealthStatus | None, int, bool]:
    statistics = child.statistics()
    return statistics.health, statistics.bad_answers, statistics.ready
