"""What a supervisor tells an actor, and how one ends that was told (pure)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from airssys_wasm.core.exits import ExitKind, ExitReason


class Order(StrEnum):
    """What an actor is told through the mailbox, ahead of all messages."""

    STOP = "stop"
    RESTART = "restart"
    SLEEP = "sleep"
    CHECK = "check"
    STEP_ASIDE = "step-aside"
    RETIRE = "retire"
    GO_ON = "go-on"


PASSIVATED: Final = ExitReason(ExitKind.PASSIVATED, "idle")

ORDERED: Final = {
    Order.STOP: ExitReason(ExitKind.STOPPED),
    Order.RESTART: ExitReason(ExitKind.INTERRUPTED, "restarted on request"),
    Order.RETIRE: ExitReason(ExitKind.STOPPED, "replaced by an upgrade"),
    Order.SLEEP: PASSIVATED,
}
"""How one ends that has obeyed."""

CANCELLED: Final = ExitReason(ExitKind.CRASHED, "its task was cancelled from inside")

_KILLED: Final = ExitReason(ExitKind.STOPPED, "killed")
_KILLED_TO: Final[Mapping[Order | None, ExitReason]] = {
    Order.RESTART: ExitReason(ExitKind.INTERRUPTED, "killed to restart"),
    Order.SLEEP: PASSIVATED,
}


def killed(order: Order | None) -> ExitReason:
    """How one ends that was killed, whatever it had been ordered."""
    return _KILLED_TO.get(order, _KILLED)
