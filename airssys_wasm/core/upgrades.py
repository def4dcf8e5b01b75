"""Upgrades as the others see them: on what terms, whether state is handed over, and their errors (pure).

AirssysError
└─ UpgradeFailed               the old component serves on
   └─ UpgradeUnderWay          another upgrade of the same component has not ended
"""

import math
from typing import Any, Final

import attrs

from airssys_wasm.core.errors import AirssysError, ConfigError
from airssys_wasm.core.ids import ComponentId

DEFAULT_PROBATION: Final = 10.0
"""Seconds: a component that is broken mostly shows it with its first messages."""

DEFAULT_MAX_CRASHES: Final = 1
"""One may be the message's fault; two within seconds are the component's."""


class UpgradeFailed(AirssysError):
    """The new component did not take over; the cause, where there is one, is what went wrong."""

    def __init__(self, component: ComponentId, detail: str) -> None:
        super().__init__(f"{component} was not upgraded: {detail}")
        self.component, self.detail = component, detail


class UpgradeUnderWay(UpgradeFailed):
    """One upgrade of a component at a time."""

    def __init__(self, component: ComponentId) -> None:
        super().__init__(component, "another upgrade of it is under way")


def _check_seconds(_instance: Any, attribute: "attrs.Attribute[float]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ConfigError(attribute.name, value, "is not a number of seconds")


def _check_count(_instance: Any, attribute: "attrs.Attribute[int]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigError(attribute.name, value, "is not a whole number from 0")


@attrs.frozen(kw_only=True)
class Probation:
    """How long the old component is kept ready, and after how many crashes of the new one it comes back.

    Args:
        probation: seconds after the new one has taken over; 0: the old one is given up at once.
        max_crashes: so many are restarts like any other; one more within the probation and the old one is back.

    Raises:
        ConfigError: A value is not a number, or out of its range; the text names the field.
    """

    probation: float = attrs.field(default=DEFAULT_PROBATION, validator=_check_seconds)
    max_crashes: int = attrs.field(default=DEFAULT_MAX_CRASHES, validator=_check_count)
