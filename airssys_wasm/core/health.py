"""When a component is asked how it is, and when it is put to sleep, as settings (pure)."""

import math
from typing import Any, final

import attrs

from airssys_wasm.core.errors import ConfigError


def check_seconds(_instance: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Validate an attribute that is a positive, finite number of seconds; raises ConfigError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(attribute.name, value, "is not a number of seconds")
    if not 0 < value < math.inf:
        raise ConfigError(attribute.name, value, "is not positive and finite")


def _check_count(_instance: object, attribute: "attrs.Attribute[int]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(attribute.name, value, "is not a whole number")
    if value < 1:
        raise ConfigError(attribute.name, value, "is not positive")


@final
@attrs.frozen(kw_only=True)
class HealthCheck:
    """How often a component's `health` is called, and what is made of it; times in seconds.

    Args:
        interval: from an answer to the next call; the first call comes as long after `initialize`.
        timeout: within which it has to answer; its clock starts with the call, however long messages kept it waiting.
        failures: so many bad answers in a row and the component is restarted, which counts as a crash.

    Raises:
        ConfigError: A value is not a positive number, `failures` not a whole one.
    """

    interval: float = attrs.field(default=10.0, validator=check_seconds)
    timeout: float = attrs.field(default=5.0, validator=check_seconds)
    failures: int = attrs.field(default=3, validator=_check_count)


def check_health(_instance: object, attribute: "attrs.Attribute[HealthCheck | None]", value: object) -> None:
    """Validate an attribute that is a health check or none; raises ConfigError."""
    if not isinstance(value, HealthCheck | None):
        raise ConfigError(attribute.name, value, "is not HealthCheck(...)")


def check_passivate_after(_instance: object, attribute: "attrs.Attribute[float | None]", value: object) -> None:
    """Validate an attribute that is a positive, finite number of seconds, or None for never; raises ConfigError."""
    if value is not None:
        check_seconds(_instance, attribute, value)
