"""Starts that somebody asks for: on request, and in the turn of a component of a tree."""

import asyncio
from typing import TYPE_CHECKING, Final

from airssys_wasm.actor import passivation
from airssys_wasm.actor.child import Child
from airssys_wasm.actor.lifecycle import LifecycleEvent
from airssys_wasm.actor.orders import Order
from airssys_wasm.actor.restarts import RestartWindow
from airssys_wasm.core.errors import ActorStopped
from airssys_wasm.core.observations import ActorState

if TYPE_CHECKING:
    from airssys_wasm.actor.children import Children

_DOWN: Final = {ActorState.RESTARTING, ActorState.FAILED, ActorState.ASLEEP}


def restart(children: "Children", child: Child, started: "asyncio.Future[None]") -> None:
    """Have a new instance, whatever state it is in; `started` is completed when it has initialized."""
    child.starting.add(started)
    match child.state:
        case ActorState.RUNNING if child.actor is not None:
            child.actor.tell(Order.RESTART)
            child.actor.interrupt()
            if child.timer is None:  # of an earlier restart: its time is not prolonged
                child.kill_after_grace(children.clock)
        case ActorState.ASLEEP if child.leaf is None or child.leaf.may_wake():
            passivation.revive(children, child)
        case state if state in _DOWN and child.actor is None and child.leaf is not None:
            child.leaf.hurry()
        case ActorState.RESTARTING if child.actor is None:
            children.begin(child)
        case ActorState.FAILED:
            begin_again(children, child)
        case ActorState.STOPPING | ActorState.STOPPED:
            child.starting.settle(ActorStopped(child.id, child.reason))


def begin_again(children: "Children", child: Child) -> None:
    """Start an actor; of a child that has failed: with all forgotten. One that sleeps unwanted sleeps on."""
    child.held = None
    if child.state is ActorState.ASLEEP:
        then = passivation.revive if passivation.is_wanted(child) else passivation.sleep_on
        then(children, child)
    if child.state is ActorState.FAILED:
        child.open_mailbox()
        child.window, child.reason = RestartWindow(), None
        child.move(LifecycleEvent.REVIVE)
    children.begin(child)
