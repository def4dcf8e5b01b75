from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.messages import (
    CONTENT_TYPE_ERROR,
    CONTENT_TYPE_FLUSH,
    CONTENT_TYPE_NONE,
    RESERVED_CONTENT_TYPE_PREFIX,
    ComponentMessage,
    MessageMetadata,
    MessagePayload,
    as_bytes,
    check_content_type,
)

SENDER = ComponentId("demo", "echo", "0")


@given(st.binary())
def test_a_payload_is_accepted_in_every_form_of_bytes(data: bytes) -> None:
    """All give the same bytes."""
    forms: list[Any] = [data, bytearray(data), memoryview(data), MessagePayload(data)]
    assert [data] * 4 == [as_bytes(form) for form in forms]
    assert [MessagePayload(data)] * 4 == [MessagePayload(form) for form in forms]
    assert [data] * 4 == [ComponentMessage(SENDER, form).payload.data for form in forms]


def test_bytes_are_not_copied() -> None:
    """A megabyte travels without one copy on this side."""
    data = b"x" * 1000
    payload = MessagePayload(data)
    assert data is as_bytes(data)
    assert data is payload.data
    assert payload is ComponentMessage(SENDER, payload).payload


def test_what_can_change_is_copied() -> None:
    """A message stays what it was when it was sent."""
    data = bytearray(b"before")
    payload = MessagePayload(data)
    data[:] = b"after!"
    assert b"before" == payload.data


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        ("hello", "a payload is bytes, not str; encode the str first"),
        (None, "a payload is bytes, not NoneType"),
        (5, "a payload is bytes, not int"),
        ([104], "a payload is bytes, not list"),
    ],
)
def test_what_is_no_bytes_is_refused(thing: Any, text: str) -> None:
    """bytes(5) would be five zeros."""
    for take in (as_bytes, MessagePayload, lambda thing: ComponentMessage(SENDER, thing)):
        with pytest.raises(TypeError) as caught:
            take(thing)
        assert text == str(caught.value)


def test_a_payload_shows_its_length_only() -> None:
    """Logs do not carry what people send."""
    payload = MessagePayload(b"secret")
    assert ("MessagePayload(6 bytes)", 6, b"secret") == (repr(payload), len(payload), bytes(payload))
    assert "secret" not in repr(ComponentMessage(SENDER, payload))


def test_metadata_is_empty_by_default() -> None:
    """The runtime fills it in."""
    assert MessageMetadata(None, None, 0, None) == ComponentMessage(SENDER, b"").metadata
    assert b"" == MessagePayload().data


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/x.airssys", "größe/ü"])
def test_a_content_type_of_the_callers_passes(content_type: str | None) -> None:
    """As it is."""
    assert content_type == check_content_type(content_type)


@pytest.mark.parametrize(
    "content_type", [CONTENT_TYPE_NONE, CONTENT_TYPE_ERROR, CONTENT_TYPE_FLUSH, "application/x.airssys.new"]
)
def test_the_runtimes_own_content_types_are_refused(content_type: str) -> None:
    """Host code cannot pretend to be the runtime."""
    assert content_type.startswith(RESERVED_CONTENT_TYPE_PREFIX)
    with pytest.raises(ConfigError, match=r"content_type is reserved: application/x\.airssys\.\* is the runtime's"):
        check_content_type(content_type)


@pytest.mark.parametrize(
    ("thing", "problem"), [(b"text/plain", "is not a str"), (1, "is not a str"), ("a\udc80", "has a lone surrogate")]
)
def test_a_content_type_that_no_guest_could_read_is_refused(thing: Any, problem: str) -> None:
    """It crosses as UTF-8."""
    with pytest.raises(ConfigError) as caught:
        check_content_type(thing)
    assert ("content_type", problem) == (caught.value.field, caught.value.problem)
