"""The life of an actor, as data (pure).

    STARTING ──started──► RUNNING ──crashed, interrupted, restart──► RESTARTING ──started──► RUNNING
       │                     │                                          │   │
  start_failed             stop                               stop, stopped  give_up
       ▼                     ▼                                          ▼   ▼
    STOPPED ◄──stopped── STOPPING ◄────────────────stop──────────────────  FAILED ──revive──► RESTARTING

    RUNNING ──passivated──► ASLEEP ──revive──► RESTARTING          ASLEEP ──stop──► STOPPING, ──give_up──► FAILED

The law:

1. An actor is born STARTING. A first start that fails ends it: whoever loaded it gets the error, nothing is left.
2. RESTARTING lasts from the end of an instance until the next one has initialized, back-off and failed attempts
   included. The plan decides between a new attempt, `give_up`, and `stopped` (a temporary component that crashed).
3. STOPPING has one way out. What was under way when the stop came may still report its end; that changes nothing.
4. ASLEEP keeps the id and has no instance; a message revives it, or its supervisor fails as a whole.
5. FAILED keeps the id. Only `revive` or `stop` leads out of it.
6. STOPPED is final: no event is allowed.

What the table does not list is forbidden, and a bug in the caller.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from airssys_wasm.core.exits import ExitKind
from airssys_wasm.core.observations import ActorState


class LifecycleEvent(StrEnum):
    """What may happen to an actor.

    | event | when |
    |---|---|
    | started | `initialize` succeeded |
    | start_failed | instantiation or `initialize` failed |
    | crashed | a call ended the instance |
    | interrupted | a call was stopped on request, which spent the instance |
    | restart | a new instance was asked for while no call had to be stopped |
    | give_up | more restarts than the intensity allows |
    | passivated | the instance was given up because nobody needed it |
    | revive | an actor that failed or sleeps is to run again |
    | stop | unload, or the system ends |
    | stopped | the teardown is done |
    """

    STARTED = "started"
    START_FAILED = "start_failed"
    CRASHED = "crashed"
    INTERRUPTED = "interrupted"
    RESTART = "restart"
    GIVE_UP = "give_up"
    PASSIVATED = "passivated"
    REVIVE = "revive"
    STOP = "stop"
    STOPPED = "stopped"


class LifecycleViolation(RuntimeError):
    """An event that is not allowed in this state: a bug of whoever reported it."""

    def __init__(self, state: ActorState, event: LifecycleEvent) -> None:
        super().__init__(f"{event} is not allowed while {state}")
        self.state, self.event = state, event


_Events = LifecycleEvent
_States = ActorState

TRANSITIONS: Final[Mapping[ActorState, Mapping[LifecycleEvent, ActorState]]] = {
    _States.STARTING: {
        _Events.STARTED: _States.RUNNING,
        _Events.START_FAILED: _States.STOPPED,
        _Events.STOP: _States.STOPPING,
    },
    _States.RUNNING: {
        _Events.CRASHED: _States.RESTARTING,
        _Events.INTERRUPTED: _States.RESTARTING,
        _Events.RESTART: _States.RESTARTING,
        _Events.PASSIVATED: _States.ASLEEP,
        _Events.STOP: _States.STOPPING,
    },
    _States.ASLEEP: {
        _Events.REVIVE: _States.RESTARTING,
        _Events.GIVE_UP: _States.FAILED,
        _Events.STOP: _States.STOPPING,
    },
    _States.RESTARTING: {
        _Events.STARTED: _States.RUNNING,
        _Events.START_FAILED: _States.RESTARTING,
        _Events.INTERRUPTED: _States.RESTARTING,
        _Events.RESTART: _States.RESTARTING,
        _Events.GIVE_UP: _States.FAILED,
        _Events.STOP: _States.STOPPING,
        _Events.STOPPED: _States.STOPPED,
    },
    _States.STOPPING: {
        _Events.STARTED: _States.STOPPING,
        _Events.START_FAILED: _States.STOPPING,
        _Events.CRASHED: _States.STOPPING,
        _Events.INTERRUPTED: _States.STOPPING,
        _Events.STOP: _States.STOPPING,
        _Events.STOPPED: _States.STOPPED,
    },
    _States.FAILED: {
        _Events.REVIVE: _States.RESTARTING,
        _Events.STOP: _States.STOPPING,
    },
    _States.STOPPED: {},
}


_ENDS: Final = {ExitKind.CRASHED: _Events.CRASHED, ExitKind.PASSIVATED: _Events.PASSIVATED}


def end_event(kind: ExitKind, *, ready: bool) -> LifecycleEvent:
    """What the end of an actor is; one that was never ready did not start."""
    return _ENDS.get(kind, _Events.INTERRUPTED) if ready else _Events.START_FAILED


def advance(state: ActorState, event: LifecycleEvent) -> ActorState:
    """Take one step of the table.

    Raises:
        LifecycleViolation: The event is not allowed in this state.
    """
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise LifecycleViolation(state, event) from None
