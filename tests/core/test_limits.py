import math
import re
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.limits import KIB, MIB, Limits

NAMES = [field.name for field in attrs.fields(Limits)]
SECONDS = {"max_execution_time", "send_wait"}


def _limits(**fields: Any) -> Limits:
    return Limits(**fields)


def test_the_defaults_are_those_that_users_rely_on() -> None:
    """In this order."""
    expected = {
        "max_memory_bytes": 64 * 1024 * 1024,
        "max_execution_time": 30.0,
        "max_fuel": None,
        "mailbox_capacity": 1024,
        "mailbox_bytes": 64 * 1024 * 1024,
        "max_payload_bytes": 1024 * 1024,
        "max_pending_requests": 256,
        "send_wait": 1.0,
        "storage_bytes": 16 * 1024 * 1024,
        "storage_keys": 10_000,
        "table_elements": 10_000,
        "max_component_bytes": 128 * 1024 * 1024,
        "max_memories": 1,
    }
    assert list(expected.items()) == list(attrs.asdict(Limits()).items())
    assert (1024, 1024 * 1024) == (KIB, MIB)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (0, "is not positive"),
        (-1, "is not positive"),
        (True, "is not a"),
        (False, "is not a"),
        ("1", "is not a"),
        (2**63, "is larger than 2**63 - 1"),
    ],
)
def test_a_limit_that_limits_nothing_is_refused_by_its_name(name: str, value: Any, problem: str) -> None:
    """Zero, negative, bool, no number, or too large to cross the C API."""
    with pytest.raises(ConfigError, match=rf"^{name} {re.escape(problem)}") as caught:
        _limits(**{name: value})
    assert (name, value) == (caught.value.field, caught.value.value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1.5])
def test_only_seconds_may_be_fractions_and_nothing_is_infinite(name: str, value: float) -> None:
    """NaN passes every comparison, so it is refused by itself."""
    if name in SECONDS and value == 1.5:
        assert 1.5 == getattr(_limits(**{name: value}), name)
        return
    with pytest.raises(ConfigError, match=f"^{name} is not {'finite' if name in SECONDS else 'a whole number'}"):
        _limits(**{name: value})


@pytest.mark.parametrize("name", NAMES)
def test_only_fuel_may_be_unlimited(name: str) -> None:
    """None elsewhere is refused: there is no component without limits."""
    if name == "max_fuel":
        assert None is _limits(max_fuel=None).max_fuel
        return
    with pytest.raises(ConfigError, match=f"^{name} is not a"):
        _limits(**{name: None})


@given(st.sets(st.sampled_from(NAMES), min_size=1))
def test_of_several_bad_limits_the_first_is_named(bad: set[str]) -> None:
    """In the order of the fields, not of the call."""
    with pytest.raises(ConfigError) as caught:
        _limits(**dict.fromkeys(sorted(bad), 0))
    assert min(bad, key=NAMES.index) == caught.value.field


@given(st.fixed_dictionaries({}, optional={name: st.integers(1, 2**63 - 1) for name in NAMES}))
def test_every_positive_whole_number_is_a_limit(fields: dict[str, int]) -> None:
    """Up to the largest that a signed 64-bit number holds; seconds too."""
    assert fields == {name: getattr(_limits(**fields), name) for name in fields}


def test_limits_are_given_by_name() -> None:
    """Twelve numbers in a row say nothing."""
    with pytest.raises(TypeError):
        Limits(1)  # type: ignore[call-arg]


def test_changed_limits_are_checked_again() -> None:
    """A copy with one change cannot smuggle in a zero."""
    assert 5 == attrs.evolve(Limits(), mailbox_capacity=5).mailbox_capacity
    with pytest.raises(ConfigError):
        attrs.evolve(Limits(), mailbox_capacity=0)


def test_each_limit_is_explained() -> None:
    """The docstring has a row for each, in order."""
    rows = re.findall(r"^ *\| ([\w, ]+?) \|", Limits.__doc__ or "", re.MULTILINE)
    assert NAMES == [name for row in rows[1:] for name in row.split(", ")]
