"""A guest's line in the log: what is escaped, what is cut, and that neither takes long."""

import logging

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airssys_wasm.runtime.host_fn.guestlog import (
    MAX_CONTEXT_CHARS,
    MAX_CONTEXT_PAIRS,
    MAX_LINE_CHARS,
    GuestLog,
    _clean,
)
from tests.runtime.guests import GUEST

WHOLE = st.text(max_size=MAX_LINE_CHARS)


@given(WHOLE)
@example("\n'")
@example("\n\\'\\\\'\"")
@example("\\n\n\\")
@example("'\"\x1b\\x1b\u202e\U000e0001é🙂")
def test_only_what_cannot_be_printed_is_escaped(text: str) -> None:
    """Character by character, as Python writes it; quotes and backslashes stay as they are."""
    expected = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    assert expected == _clean(text)


def test_a_line_is_bounded_whatever_its_context(caplog: pytest.LogCaptureFixture) -> None:
    """Each escape is ten characters at most; the number of pairs, their names and values are cut."""
    worst = "\U000e0001" * 5000
    with caplog.at_level(logging.ERROR, "airssys_wasm.guest"):
        GuestLog(GUEST).write("error", worst, [(worst, worst)] * 1000)
    (record,) = caplog.records
    pairs = record.__dict__["guest_context"]
    longest = 10 * (MAX_LINE_CHARS + 2 * MAX_CONTEXT_PAIRS * MAX_CONTEXT_CHARS)
    assert (MAX_CONTEXT_PAIRS, True) == (len(pairs), len(record.message) < longest + 50 * (MAX_CONTEXT_PAIRS + 1) * 2)
    assert pairs[0][0].endswith("… (5000 characters)")
