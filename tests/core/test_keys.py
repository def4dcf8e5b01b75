"""Which instance a payload belongs to."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.keys import MAX_JSON_BYTES, Key


@given(st.binary(max_size=20), st.integers(0, 20), st.integers(1, 20) | st.none())
def test_a_range_of_bytes_is_a_slice(payload: bytes, start: int, length: int | None) -> None:
    """With or without an end, inside the payload or behind it."""
    stop = None if length is None else start + length
    assert payload[start:stop] == Key.parse(f"bytes:{start}:{'' if stop is None else stop}").of(payload)


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_a_json_path_finds_the_value(value: object) -> None:
    """Through objects and arrays; equal values give equal keys whatever surrounds them."""
    key = Key.parse("json:a.1.b")
    first, second = ({"n": n, "a": [0, {"b": value, "c": n}]} for n in (1, 2))
    assert json.dumps(value, sort_keys=True).encode() == key.of(json.dumps(first).encode())
    assert key.of(json.dumps(first).encode()) == key.of(json.dumps(second).encode())


@pytest.mark.parametrize("payload", [b"", b"no json", b"[]", b'{"user": 1}', b'{"user": [1]}', b"\xff", b"[" * 100_000])
def test_a_payload_without_the_key_has_the_empty_one(payload: bytes) -> None:
    """It is not lost, and all of them meet at one instance."""
    assert b"" == Key.parse("json:user.id").of(payload)


@given(st.binary(min_size=4), st.binary(), st.integers(1, 9))
def test_equal_keys_meet_the_same_instance(payload: bytes, rest: bytes, instances: int) -> None:
    """Whatever is behind the key."""
    key = Key.parse("bytes:0:4")
    assert key.instance(payload, instances) == key.instance(payload[:4] + rest, instances)
    assert 0 <= key.instance(payload, instances) < instances


def test_the_instance_of_a_key_never_changes() -> None:
    """CRC-32: a restarted pipeline finds its stored state where it left it."""
    assert [1, 3, 1, 3, 0, 2, 0, 2] == [Key.parse("bytes:0:1").instance(b"%d" % n, 4) for n in range(8)]


@pytest.mark.parametrize(
    "text", ["", "user", "json:", "json:a..b", "bytes", "bytes:1", "bytes:a:b", "bytes:4:4", "bytes:-1:3"]
)
def test_what_is_no_key_is_refused(text: str) -> None:
    """The error shows the text and the two forms."""
    with pytest.raises(ConfigError) as caught:
        Key.parse(text)
    assert ("key", text) == (caught.value.field, caught.value.value)


def test_no_json_is_read_that_would_take_long() -> None:
    """Whoever goes by such a key takes no larger payload; a range of bytes is found in any."""
    json, bounds = Key.parse("json:id"), Key.parse("bytes:0:8")
    fits = b'{"id": 1, "text": "' + b"x" * (MAX_JSON_BYTES - 21) + b'"}'
    assert (b"1", b"") == (json.of(fits), json.of(fits + b" "))
    assert [MAX_JSON_BYTES, 8, 1 << 20] == [
        json.most_payload_bytes(1 << 20),
        json.most_payload_bytes(8),
        bounds.most_payload_bytes(1 << 20),
    ]
