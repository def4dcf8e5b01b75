import math
import tomllib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.security.wording import quoted, stamp


@given(st.text())
def test_a_quoted_text_is_the_text_to_toml(text: str) -> None:
    """And harmless on a terminal."""
    assert text == tomllib.loads(f"x = {quoted(text)}")["x"]
    assert quoted(text).isprintable()


@given(st.floats(0, 4e9))
def test_a_stamp_reads_back(seconds: float) -> None:
    """To the millisecond, in UTC."""
    assert abs(datetime.fromisoformat(stamp(seconds)).timestamp() - seconds) <= 0.001
    assert UTC.utcoffset(None) == datetime.fromisoformat(stamp(seconds)).utcoffset()


@pytest.mark.parametrize("seconds", [1e300, -1e300, math.inf, math.nan])
def test_a_time_beyond_the_calendar_is_a_number(seconds: float) -> None:
    """The audit trail never raises."""
    assert repr(seconds) == stamp(seconds)
