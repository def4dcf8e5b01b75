"""An envelope in the guest's hands: what it is called with, and what becomes of its answer."""

from typing import TYPE_CHECKING

from airssys_wasm.core.calls import Err

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from airssys_wasm.actor.child import Child
    from airssys_wasm.actor.envelope import Envelope
    from airssys_wasm.core.ports import Guest


def hand_over(guest: "Guest", envelope: "Envelope") -> "Awaitable[object]":
    """What the guest answers: to a call of a function of its own, to a message, nothing to a callback."""
    if envelope.invocation is not None:
        return guest.call(envelope.invocation)
    if envelope.callback:
        return guest.handle_callback(envelope.message)
    return guest.handle_message(envelope.message)


def answered(child: "Child", envelope: "Envelope", answer: object) -> None:
    """Complete the ask; a function that answers err counts as one."""
    if isinstance(answer, Err):
        child.guest_errors += 1
    else:
        child.handled += 1
    envelope.answer(answer)
