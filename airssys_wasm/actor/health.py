"""What is made of a component's answers to `health` (pure).

| an answer | counts as |
|---|---|
| healthy, degraded | good: no bad answer before it counts any more |
| unknown | neither good nor bad |
| unhealthy | bad |
| none within `timeout` | bad, whatever comes later; one more for each further `interval` that the call goes on |
| a trap, or the end of the call by its own deadline | a crash, as in any call: the instance is spent |

With `failures` bad ones in a row the component is unhealthy. A call that takes too long is left alone until then, as it
would have to be paid for with the instance. A new instance begins anew.
"""

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, final

import attrs

from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.health import HealthCheck
from airssys_wasm.core.observations import ActorState
from airssys_wasm.core.ports import HealthStatus

UNHEALTHY: Final = ExitReason(ExitKind.CRASHED, "unhealthy")
"""How an instance ends that has given too many bad answers."""


class Verdict(StrEnum):
    """What an answer does to the count of bad ones."""

    GOOD = "good"
    NEITHER = "neither"
    BAD = "bad"


VERDICTS: Final[Mapping[HealthStatus, Verdict]] = {
    HealthStatus.HEALTHY: Verdict.GOOD,
    HealthStatus.DEGRADED: Verdict.GOOD,
    HealthStatus.UNKNOWN: Verdict.NEITHER,
    HealthStatus.UNHEALTHY: Verdict.BAD,
}

_BY_STATE: Final[Mapping[ActorState, HealthStatus]] = {
    ActorState.STARTING: HealthStatus.UNKNOWN,
    ActorState.RUNNING: HealthStatus.HEALTHY,
    ActorState.ASLEEP: HealthStatus.HEALTHY,
    ActorState.RESTARTING: HealthStatus.DEGRADED,
    ActorState.STOPPING: HealthStatus.DEGRADED,
    ActorState.STOPPED: HealthStatus.UNHEALTHY,
    ActorState.FAILED: HealthStatus.UNHEALTHY,
}


@final
@attrs.frozen
class HealthRecord:
    """What is known of an instance; `status` is its last answer, None before the first, `bad` counts those in a row.

    `due` is when something is to be done next: call it, or, during a call, count that as a bad answer.
    """

    status: HealthStatus | None = None
    bad: int = 0
    due: float = math.inf
    late: bool = False

    def is_unhealthy(self, check: HealthCheck) -> bool:
        """Whether it is to be restarted."""
        return self.bad >= check.failures


def ready(check: HealthCheck, now: float) -> HealthRecord:
    """An instance has initialized."""
    return HealthRecord(due=now + check.interval)


def called(check: HealthCheck, record: HealthRecord, now: float) -> HealthRecord:
    """A call begins."""
    return attrs.evolve(record, due=now + check.timeout, late=False)


def missed(check: HealthCheck, record: HealthRecord) -> HealthRecord:
    """The call under way has not answered in time, or the one that would have come after it by now."""
    return HealthRecord(HealthStatus.UNHEALTHY, record.bad + 1, record.due + check.interval, late=True)


def answered(check: HealthCheck, record: HealthRecord, status: HealthStatus, now: float) -> HealthRecord:
    """A call has answered; in time when it is not later than `due` and nobody noted it as missed."""
    if not record.late and now > record.due:
        record = missed(check, record)
    due = now + check.interval
    if record.late:
        return attrs.evolve(record, due=due, late=False)
    match VERDICTS[status]:
        case Verdict.GOOD:
            return HealthRecord(status, 0, due)
        case Verdict.NEITHER:
            return HealthRecord(status, record.bad, due)
        case Verdict.BAD:
            return HealthRecord(status, record.bad + 1, due)


def health_of(state: ActorState, answer: HealthStatus | None) -> HealthStatus:
    """What others are told of a component: its last answer while it can be reached, else what its state means."""
    if answer is not None and state in {ActorState.RUNNING, ActorState.ASLEEP}:
        return answer
    return _BY_STATE[state]
