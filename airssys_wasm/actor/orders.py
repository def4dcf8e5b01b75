"""What a supervisor tells an actor (pure)."""

from enum import StrEnum


class Order(StrEnum):
    """What an actor is told through the mailbox, ahead of all messages."""

    STOP = "stop"
    RESTART = "restart"
    SLEEP = "sleep"
    CHECK = "check"
    STEP_ASIDE = "step-aside"
    RETIRE = "retire"
