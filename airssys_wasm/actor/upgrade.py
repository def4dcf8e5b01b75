"""An upgrade of one component: what is known of it, and what is to be done next.

| the component | the next instance |
|---|---|
| runs | takes over at the next message boundary, with the state if both are made for it |
| is to be started again after a delay, has failed, or sleeps | takes the place now, in a tree when it is its turn |
| starts, or ends to be started again | waits for that |
| ends for good | is given up |

| an end of the new one on probation | what follows |
|---|---|
| the first `max_crashes` crashes or failed starts | what its supervisor does after any crash |
| one more, or one after which it would not be started again | the old one is back |
| on request | not counted |
"""

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, final

import attrs

from airssys_wasm.actor.restarts import RestartWindow
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.messages import LOAD_STATE_OPERATION, SAVE_STATE_OPERATION
from airssys_wasm.core.observations import ActorState
from airssys_wasm.core.ports import ComponentMetadata, Timer
from airssys_wasm.core.upgrades import Probation

if TYPE_CHECKING:
    from airssys_wasm.actor.actor import ComponentActor
    from airssys_wasm.actor.child import ChildSpec


class Moment(StrEnum):
    """What the next instance can do now."""

    TAKE_OVER = "take-over"
    TAKE_THE_PLACE = "take-the-place"
    WAIT = "wait"
    GIVE_UP = "give-up"


def moment(state: ActorState, *, has_actor: bool, is_held: bool) -> Moment:
    """Say what can be done with a component; the first table above.

    Args:
        state: of the component.
        has_actor: whether it has an instance, or is making one.
        is_held: whether its supervisor has it end, to start it again.
    """
    match state:
        case ActorState.STOPPING | ActorState.STOPPED:
            return Moment.GIVE_UP
        case ActorState.RUNNING if has_actor and not is_held:
            return Moment.TAKE_OVER
        case ActorState.RESTARTING | ActorState.FAILED | ActorState.ASLEEP if not has_actor:
            return Moment.TAKE_THE_PLACE
        case _:
            return Moment.WAIT


def hands_over(old: ComponentMetadata, new: ComponentMetadata) -> bool:
    """Whether the state of one is given to the other."""
    return SAVE_STATE_OPERATION in old.supported_operations and LOAD_STATE_OPERATION in new.supported_operations


@final
@attrs.define(eq=False, repr=False)
class Upgrade:
    """One upgrade under way; `sender` is whom control messages come from."""

    terms: Probation
    sender: ComponentId
    changed: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    """Set whenever the component may have become something else."""
    successor: "ComponentActor | None" = attrs.field(default=None, init=False)
    placed: bool = attrs.field(default=False, init=False)
    """Whether the next start of the component is to take the successor instead of making an instance."""
    done: bool = attrs.field(default=False, init=False)
    """Whether the successor serves."""
    owned: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    """Set when the storage belongs to it."""


@final
@attrs.define(eq=False, repr=False)
class OnProbation:
    """What it takes to go back: the old specification, its restarts, and its instance if there was one."""

    terms: Probation
    spec: "ChildSpec"
    window: RestartWindow
    predecessor: "ComponentActor | None"
    timer: Timer | None = attrs.field(default=None, init=False)
    crashes: int = attrs.field(default=0, init=False)

    def is_over(self, reason: ExitReason, *, restarts: bool) -> bool:
        """Whether this end of the new one brings the old one back; the second table above.

        Args:
            reason: how it ended.
            restarts: whether its supervisor would start it again.
        """
        if reason.kind is not ExitKind.CRASHED:
            return False
        self.crashes += 1
        return self.crashes > self.terms.max_crashes or not restarts
