"""The leaves of component values: numbers, text and bytes, and what every codec shares.

A value is an image of 32 bytes, `kind` (u8) at 0 and a union at 8; what it points to are further images. `lower` makes
images as Python bytes, which the caller keeps alive in `keep` until wasmtime has copied them; `lift` reads an image of
wasmtime's. Both check everything that would otherwise abort the process: text that is not UTF-8, numbers out of range,
names that are no case.

Source: `wasmtime/component/val.h` of wasmtime's C API.
"""

import ctypes
from ctypes import string_at
from struct import Struct
from struct import error as StructError
from typing import Any, Final, Protocol

import attrs

from airssys_wasm.runtime.abi.capi import VAL_BYTES

Value = Any
"""A Python value of the form that a WIT type has; the codec checks it."""

Keep = list[Any]
"""What must stay alive until wasmtime has copied the image."""

_BYTES_DATA: Final = bytes.__basicsize__ - 1
"""Offset of the data in a CPython bytes object; checked below."""

WORDS: Final = Struct("<B7xQQQ")
SIZED: Final = Struct("<QQ")
_BYTE_ITEM: Final = b"\x02" + bytes(VAL_BYTES - 1)


def address_of(data: bytes) -> int:
    """Address of a bytes object's data; valid as long as the object lives."""
    return id(data) + _BYTES_DATA


if string_at(address_of(b"airssys"), 7) != b"airssys":  # pragma: no cover - another Python than CPython
    msg = "this Python lays out bytes objects in another way"
    raise ImportError(msg)


class BadValue(ValueError):
    """A Python value that does not fit its WIT type; `path` leads to it."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(f"{path.lstrip('.')}: {problem}" if path else problem)
        self.problem, self.path = problem, path

    def inside(self, step: str) -> "BadValue":
        """The same, seen from one level further out."""
        return BadValue(self.problem, step + self.path)


@attrs.frozen
class Ok:
    """The good half of a result."""

    value: Value = None


@attrs.frozen
class Err:
    """The bad half of a result."""

    value: Value = None


class Codec(Protocol):
    """One type, both ways."""

    def lower(self, value: Value, keep: Keep) -> bytes:
        """Make the 32-byte image of a value; raises BadValue."""
        ...

    def lift(self, image: bytes) -> Value:
        """Read the value of an image that wasmtime made for this type."""
        ...


@attrs.frozen(eq=False)
class Number:
    name: str
    layout: Struct
    kind: int

    def lower(self, value: Value, keep: Keep) -> bytes:
        if isinstance(value, bool) is not (self.name == "bool"):
            raise BadValue(f"{value!r} is no {self.name}")
        try:
            return self.layout.pack(self.kind, value)
        except (StructError, OverflowError) as exc:
            raise BadValue(f"{value!r} is no {self.name}: {exc}") from None

    def lift(self, image: bytes) -> Value:
        return self.layout.unpack(image)[1]


@attrs.frozen(eq=False)
class Char:
    def lower(self, value: Value, keep: Keep) -> bytes:
        if not isinstance(value, str) or len(value) != 1 or "\ud800" <= value <= "\udfff":
            raise BadValue(f"{value!r} is no Unicode scalar value")
        return WORDS.pack(11, ord(value), 0, 0)

    def lift(self, image: bytes) -> Value:
        return chr(int.from_bytes(image[8:12], "little"))


@attrs.frozen(eq=False)
class String:
    def lower(self, value: Value, keep: Keep) -> bytes:
        try:
            data = value.encode()
        except (AttributeError, UnicodeEncodeError) as exc:
            raise BadValue(f"no text of Unicode scalar values: {exc}") from None
        keep.append(data)
        return WORDS.pack(12, len(data), address_of(data), 0)

    def lift(self, image: bytes) -> Value:
        size, data = SIZED.unpack_from(image, 8)
        return string_at(data, size).decode() if size else ""


@attrs.frozen(eq=False)
class ByteList:
    def lower(self, value: Value, keep: Keep) -> bytes:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise BadValue(f"{type(value).__name__} is not bytes")
        size = len(value)
        items = bytearray(_BYTE_ITEM) * size
        items[8::VAL_BYTES] = value
        held = (ctypes.c_char * len(items)).from_buffer(items)
        keep.append(held)
        return WORDS.pack(13, size, ctypes.addressof(held), 0)

    def lift(self, image: bytes) -> Value:
        size, data = SIZED.unpack_from(image, 8)
        return string_at(data, size * VAL_BYTES)[8::VAL_BYTES] if size else b""


NUMBERS: Final = {
    "bool": ("<B7x?23x", 0),
    "s8": ("<B7xb23x", 1),
    "u8": ("<B7xB23x", 2),
    "s16": ("<B7xh22x", 3),
    "u16": ("<B7xH22x", 4),
    "s32": ("<B7xi20x", 5),
    "u32": ("<B7xI20x", 6),
    "s64": ("<B7xq16x", 7),
    "u64": ("<B7xQ16x", 8),
    "f32": ("<B7xf20x", 9),
    "f64": ("<B7xd16x", 10),
}


def slot() -> "ctypes.Array[ctypes.c_char]":
    """Memory for one value that wasmtime assigns, empty: `Bool(false)`."""
    return ctypes.create_string_buffer(VAL_BYTES)
