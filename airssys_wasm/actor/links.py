"""Links: components that end together, and blocks of host code that end with a component.

| a component | those that it is linked to | a block on it |
|---|---|---|
| crashes, whether it starts again or not | are ended, as `linked` | is cancelled |
| is stopped because another one ended, by the strategy of its supervisor | are ended | is cancelled |
| is ended by a link | nothing: they were ended at the same time | is cancelled |
| has failed, or is gone after an end of its own | are ended | is cancelled |
| is unloaded, or the system is left | live on, the link is gone | is cancelled |
| is interrupted or restarted on request; does not start again at the first attempt | live on | goes on |

A link has no direction. As in OTP the end goes on from one to the next, as far as links reach, and each one's own
supervisor decides what follows, as after a crash. Unlike in OTP a link is one of addresses: it outlives restarts, and
what a supervisor stops on request is no bad end (there `shutdown` is one; only `normal` is not).

Who is to be ended is found at one moment, among those that run then, and what a link has ended passes nothing on. So
circles of links end, whatever the back-off.
"""

from collections.abc import Callable, Iterator
from typing import final

import attrs

from airssys_wasm.actor.child import Child
from airssys_wasm.actor.registry import Registry
from airssys_wasm.core.errors import ActorStopped
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.observations import ActorState, DeadLetter, Event, EventKind, Observer

Told = Callable[[ExitReason], object]

_OVER = frozenset({ActorState.FAILED, ActorState.STOPPING, ActorState.STOPPED})


@final
@attrs.define(eq=False, repr=False)
class Links:
    """An observer in front of another one, to which it passes everything on."""

    observer: Observer
    registry: Registry
    _partners: dict[ComponentId, dict[ComponentId, None]] = attrs.field(factory=dict, init=False)
    _blocks: dict[ComponentId, dict[Told, None]] = attrs.field(factory=dict, init=False)

    def join(self, one: ComponentId, other: ComponentId) -> None:
        """Link two components; nothing when they are, or when they are the same.

        Raises:
            TargetNotFound: One is not there.
            ActorStopped: One has failed, or is being stopped.
        """
        self._check(one)
        self._check(other)
        if one != other:
            self._partners.setdefault(one, {})[other] = None
            self._partners.setdefault(other, {})[one] = None

    def part(self, one: ComponentId, other: ComponentId) -> None:
        """Take a link back; nothing when there is none."""
        for here, there in ((one, other), (other, one)):
            partners = self._partners.get(here, {})
            partners.pop(there, None)
            if not partners:
                self._partners.pop(here, None)

    def enter(self, id: ComponentId, told: Told) -> None:  # noqa: A002 - the stable name
        """Have a block told of the end of a component; raises as `join`."""
        self._check(id)
        self._blocks.setdefault(id, {})[told] = None

    def leave(self, id: ComponentId, told: Told) -> None:  # noqa: A002 - the stable name
        """Tell a block no more."""
        blocks = self._blocks.get(id, {})
        blocks.pop(told, None)
        if not blocks:
            self._blocks.pop(id, None)

    def event(self, event: Event) -> None:
        """Something happened to a component; see the table of this module."""
        self.observer.event(event)
        component, reason = event.component, event.reason
        if reason is None or not self._is_end(event):
            return
        for told in tuple(self._blocks.get(component, ())):
            told(reason)
        if event.kind is not EventKind.LINKED and reason.kind is not ExitKind.STOPPED:
            self._end_partners(component, reason)
        if event.kind is EventKind.STOPPED:
            for partner in tuple(self._partners.get(component, ())):
                self.part(component, partner)

    def dead_letter(self, letter: DeadLetter) -> None:
        """Of no interest here."""
        self.observer.dead_letter(letter)

    def close(self, reason: ExitReason) -> None:
        """All components have been abandoned at once."""
        for told in [told for blocks in self._blocks.values() for told in blocks]:
            told(reason)
        self._partners.clear()

    def _check(self, id: ComponentId) -> None:  # noqa: A002 - the stable name
        child = self.registry.by_id(id)
        if child.state in _OVER:
            raise ActorStopped(id, child.reason)

    def _is_end(self, event: Event) -> bool:
        """Whether something has ended that others may have known; a restart that fails ends nothing."""
        child = self.registry.get(event.component)
        match event.kind:
            case EventKind.CRASHED:
                return child is not None and child.ran
            case EventKind.INTERRUPTED:
                return child is not None and child.ran and child.held is not None
            case kind:
                return kind in {EventKind.LINKED, EventKind.FAILED, EventKind.STOPPED}

    def _end_partners(self, component: ComponentId, reason: ExitReason) -> None:
        linked = ExitReason(ExitKind.LINKED, f"to {component}, which has ended: {reason}", reason.cause)
        for child in tuple(self._running_partners(component)):
            if child.actor is not None:
                child.actor.end(linked)

    def _running_partners(self, component: ComponentId) -> Iterator[Child]:
        """Those that links lead to from here, by way of what runs."""
        seen, waiting = {component}, [component]
        while waiting:
            for partner in self._partners.get(waiting.pop(0), ()):
                child = self.registry.get(partner)
                if partner not in seen and child is not None and child.state is ActorState.RUNNING:
                    yield child
                    waiting.append(partner)
                seen.add(partner)
