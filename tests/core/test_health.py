import math
from typing import Any

import pytest

from airssys_wasm import ConfigError, HealthCheck
from airssys_wasm.actor.child import ChildSpec
from tests.actor.bench import component

WRONG_SECONDS = [0, -1, 0.0, math.inf, math.nan, True, "10", None]


@pytest.mark.parametrize("field", ["interval", "timeout"])
@pytest.mark.parametrize("value", WRONG_SECONDS)
def test_a_check_has_positive_times(field: str, value: Any) -> None:
    """What is no number of seconds is refused, naming the field."""
    with pytest.raises(ConfigError, match=f"^{field} "):
        HealthCheck(**{field: value})


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3", None])
def test_failures_are_counted_in_whole_numbers(value: Any) -> None:
    """At least one bad answer leads to a restart."""
    with pytest.raises(ConfigError, match=r"^failures "):
        HealthCheck(failures=value)


@pytest.mark.parametrize("value", WRONG_SECONDS[:-1])
def test_a_component_sleeps_after_a_positive_time(value: Any) -> None:
    """None is never; anything else has to be a number of seconds."""
    with pytest.raises(ConfigError, match=r"^passivate_after "):
        ChildSpec(id=component(), compiled=b"", passivate_after=value)


@pytest.mark.parametrize("value", [True, 10, {"interval": 1}])
def test_health_is_a_check_or_none(value: Any) -> None:
    """A number alone would not say of what."""
    with pytest.raises(ConfigError, match=r"^health "):
        ChildSpec(id=component(), compiled=b"", health=value)


def test_the_defaults_are_ten_five_and_three() -> None:
    """Every 10 s, 5 s to answer, 3 bad answers in a row."""
    assert HealthCheck(interval=10.0, timeout=5.0, failures=3) == HealthCheck()
