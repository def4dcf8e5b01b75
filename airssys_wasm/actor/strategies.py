"""What follows for a whole group when one of its children has ended: whom to stop, whom to start again (pure).

| strategy | whom the end of one child, if it is started again, concerns |
|---|---|
| one_for_one | only it |
| one_for_all | all children of the group |
| rest_for_one | it and those that were started after it |

Those it concerns are stopped in reverse start order, then all are started in start order, after one delay. The words
and the rules are those of the OTP supervisor (`supervisor.erl`):

| how the child ended | permanent | transient | temporary |
|---|---|---|---|
| crashed, ended by a link, or its start failed | the strategy, counted | the strategy, counted | gone |
| interrupted on request | it alone, at once, not counted | the same | the same |
| stopped on request | gone | gone | gone |
| gave up, as a supervisor | the strategy, counted | rests | gone |

- Restarts count for the group, whichever child they are of; one too many and the group gives up.
- A temporary child is never started again, also when it is stopped because of another one.
- A child that rests is started again with the others when the strategy says so (in OTP a supervisor that gives up
  exits with `shutdown`, after which a transient child is not restarted, but keeps its place).
- What ends and is not to be started again concerns nobody else.
"""

from collections.abc import Hashable, Sequence
from enum import StrEnum
from typing import Generic, TypeVar, assert_never, final

import attrs

from airssys_wasm.actor import restarts
from airssys_wasm.actor.restarts import RestartPolicy, RestartWindow
from airssys_wasm.core.config import Restart
from airssys_wasm.core.exits import ExitKind, ExitReason

Key = TypeVar("Key", bound=Hashable)


class Strategy(StrEnum):
    """Whom the restart of one child concerns (the words of the OTP supervisor)."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


@final
@attrs.frozen
class Member(Generic[Key]):
    """One child of a group at one moment; `up` while there is something of it to be stopped, a start included."""

    key: Key
    restart: Restart
    up: bool = True


@final
@attrs.frozen(kw_only=True)
class Group(Generic[Key]):
    """A supervisor at one moment: its children in start order, and its counted restarts so far.

    Of `policy` it has the intensity, the window and the back-off; the restart type is each child's own.
    """

    strategy: Strategy
    policy: RestartPolicy
    members: Sequence[Member[Key]]
    window: RestartWindow = attrs.field(factory=RestartWindow)


@final
@attrs.frozen
class Regroup(Generic[Key]):
    """Stop `stop` in this order, then start `start` in this order, after `delay` seconds.

    What is in `stop` alone ends for good. `attempt` counts the restarts in the window, this one included.
    """

    stop: tuple[Key, ...]
    start: tuple[Key, ...]
    delay: float
    attempt: int
    window: RestartWindow


@final
@attrs.frozen
class Escalate(Generic[Key]):
    """The intensity is used up: stop `stop` in this order, all that is up, then tell whoever keeps the group."""

    stop: tuple[Key, ...]


@final
@attrs.frozen
class Leave:
    """The others live on as they are; the child keeps its place and `rests`, or is forgotten."""

    rests: bool


Plan = Regroup[Key] | Escalate[Key] | Leave


def plan(group: Group[Key], ended: Key, reason: ExitReason, now: float, *, roll: float = 0.0) -> Plan[Key]:
    """Say what follows from the end of one child; the caller keeps the window that comes back.

    Args:
        group: as it is without that child.
        ended: the child, one of the members.
        reason: how it ended; a start that failed counts like a crash, a supervisor that gave up has failed.
        now: seconds of a monotonic clock.
        roll: a random number from 0 to 1 for jitter.
    """
    members = group.members
    index = next(place for place, member in enumerate(members) if member.key == ended)
    restart = members[index].restart
    if reason.kind is ExitKind.FAILED and restart is Restart.TRANSIENT:
        return Leave(rests=True)
    match restarts.plan(attrs.evolve(group.policy, restart=restart), group.window, reason, now, roll=roll):
        case restarts.Gone() | restarts.Sleep():  # of one that falls asleep its group does not hear
            return Leave(rests=False)
        case restarts.GiveUp():
            return Escalate(tuple(member.key for member in reversed(members) if member.up and member.key != ended))
        case restarts.RestartAfter(delay, attempt, kept) if reason.kind is ExitKind.INTERRUPTED:
            return Regroup((), (ended,), delay, attempt, kept)
        case restarts.RestartAfter(delay, attempt, counted):
            concerned = _concerned(group.strategy, members, index)
            return Regroup(_to_stop(concerned, ended), _to_start(concerned), delay, attempt, counted)


def _concerned(strategy: Strategy, members: Sequence[Member[Key]], index: int) -> Sequence[Member[Key]]:
    """Whom the restart of the child at that place concerns, in start order."""
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return members[index : index + 1]
        case Strategy.ONE_FOR_ALL:
            return members
        case Strategy.REST_FOR_ONE:
            return members[index:]
        case _:
            assert_never(strategy)


def _to_stop(concerned: Sequence[Member[Key]], ended: Key) -> tuple[Key, ...]:
    """What is up, and what is not but will never be again."""
    others = (member for member in reversed(concerned) if member.key != ended)
    return tuple(member.key for member in others if member.up or member.restart is Restart.TEMPORARY)


def _to_start(concerned: Sequence[Member[Key]]) -> tuple[Key, ...]:
    return tuple(member.key for member in concerned if member.restart is not Restart.TEMPORARY)
