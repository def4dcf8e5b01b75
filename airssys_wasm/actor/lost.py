"""What those are told who wait for a component: for the answer to a message, or for a start."""

import logging
from typing import Final

from airssys_wasm.actor.child import Child
from airssys_wasm.actor.envelope import Envelope
from airssys_wasm.actor.farewell import line
from airssys_wasm.core.calls import BadValue, CallRefused
from airssys_wasm.core.errors import (
    ActorStopped,
    AirssysError,
    ComponentCrashed,
    DeliveryError,
    ExecutionError,
    GuestError,
    InstantiationFailed,
    PayloadTooLarge,
    Trap,
)
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.observations import DeadLetterReason

_LOST: Final = {
    ExitKind.CRASHED: DeadLetterReason.CRASHED,
    ExitKind.LINKED: DeadLetterReason.CRASHED,
    ExitKind.INTERRUPTED: DeadLetterReason.INTERRUPTED,
    ExitKind.STOPPED: DeadLetterReason.ACTOR_STOPPED,
}

_log: Final = logging.getLogger("airssys_wasm.actor.actor")


def lose(child: Child, envelope: Envelope, reason: ExitReason) -> None:
    """Tell its sender how the instance ended, and report it."""
    message = envelope.message
    error: DeliveryError = ActorStopped(child.id, reason, message)
    if reason.kind is ExitKind.CRASHED:
        error = ComponentCrashed(child.id, _word(reason.cause), message)
        error.__cause__ = reason.cause
    envelope.fail(error)
    child.lose(envelope, _LOST[reason.kind], error)


def answered_err(child: Child, envelope: Envelope, error: GuestError) -> None:
    """Tell the sender; of a callback nobody else hears."""
    child.guest_errors += 1
    level, what = (logging.WARNING, " to a callback") if envelope.callback else (logging.DEBUG, "")
    _log.log(level, "%s answered err%s: %s", child.id, what, line(error))
    envelope.fail(error)


def refused(child: Child, envelope: Envelope, error: CallRefused) -> None:
    """Tell the sender of what never reached the guest; it is a dead letter like all that was not handled."""
    envelope.fail(error)
    misfit = isinstance(error, BadValue)
    child.lose(envelope, DeadLetterReason.BAD_VALUE if misfit else DeadLetterReason.NOT_EXPORTED, error)


def start_error(child: Child, reason: ExitReason) -> BaseException:
    """What the failure of a start is to those who wait for it."""
    match reason.cause:
        case None:
            return ActorStopped(child.id, reason)
        case GuestError() as cause:
            error = InstantiationFailed(f"initialize answered {cause}", child.id)
        case AirssysError() as cause if not isinstance(cause, ExecutionError):
            return cause
        case cause:
            error = InstantiationFailed(str(cause) or type(cause).__name__, child.id)
    error.__cause__ = cause
    return error


def _word(cause: BaseException | None) -> str:
    """Why a component crashed, in one word."""
    match cause:
        case Trap():
            return cause.code
        case PayloadTooLarge():
            return "payload-too-large"
        case _:
            return type(cause).__name__
