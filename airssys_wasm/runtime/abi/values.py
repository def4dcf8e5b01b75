"""The leaves of component values: numbers, text and bytes, and what every codec shares.

A value is an image of 32 bytes, `kind` (u8) at 0 and a union at 8; what it points to are further images. `lower` makes
images as Python bytes, which the caller keeps alive in `keep` until wasmtime has copied them; `lift` reads an image of
wasmtime's. Both check everything that would otherwise abort the process: text that is not UTF-8, numbers out of range,
names that are no case.

Source: `wasmtime/component/val.h` of wasmtime's C API.
"""

import codecs
import ctypes
import mmap
import struct
import time
from ctypes import string_at
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, Protocol, final

import attrs

from airssys_wasm.core.calls import BadType, BadValue, shown
from airssys_wasm.runtime.abi.capi import VAL_BYTES, text_at
from airssys_wasm.runtime.abi.pace import BYTE_STEP, MOST_STEPS, TEXT_STEP, Lifting, Paced

if TYPE_CHECKING:
    from airssys_wasm.runtime.abi.guest_resource import GuestResource
    from airssys_wasm.runtime.abi.handles import Handles

Value = Any
"""A Python value of the form that a WIT type has; the codec checks it."""


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


class Keep(list[Any], Paced):
    """What must stay alive until wasmtime has copied the images that one conversion makes."""


@final
class Lowering(Keep):
    """What one call that may pass handles keeps alive, and what becomes of the handles."""

    def __init__(self, handles: "Handles") -> None:
        super().__init__()
        self.handles = handles
        self.given: list[Any] = []
        """Objects of the host's that the guest gets."""
        self.loans: list[Any] = []
        """Those among them that are only lent: wasmtime is told that the host owns them, and forgets them after."""
        self.moved: list[GuestResource] = []
        self.lent: list[GuestResource] = []

    def end(self) -> None:
        """The call is over: what was lent is back."""
        for value in self.lent:
            value._lent -= 1
        for box in self.loans:
            self.handles.take_back(box)
        self.lent.clear()
        self.loans.clear()

    def undo(self) -> None:
        """The call never was: everything is back, and it can be begun anew."""
        for value in self.moved:
            value._gone = ""
        self.moved.clear()
        self.given, self.loans = [], self.given
        self.end()


class Codec(Protocol):
    """One type, both ways."""

    def lower(self, value: Value, keep: Keep) -> bytes:
        """Make the 32-byte image of a value; raises BadValue."""
        ...

    def lift(self, image: bytes, lifting: Lifting) -> Value:
        """Read the value of an image that wasmtime made for this type."""
        ...


@attrs.frozen(eq=False)
class Number:
    """bool, an integer or a float."""

    name: str
    layout: Struct
    kind: int

    def lower(self, value: Value, keep: Keep) -> bytes:
        """Make the image; raises BadValue."""
        if isinstance(value, bool) is not (self.name == "bool"):
            raise BadType(f"{shown(value)} is no {self.name}")
        try:
            return self.layout.pack(self.kind, value)
        except (struct.error, OverflowError, TypeError) as exc:
            right = isinstance(value, int) or (isinstance(value, float) and self.name[0] == "f")
            raise (BadValue if right else BadType)(f"{shown(value)} is no {self.name}: {exc}") from None

    def lift(self, image: bytes, lifting: Lifting) -> Value:
        """Read the value of an image."""
        return self.layout.unpack(image)[1]


@attrs.frozen(eq=False)
class Char:
    """One Unicode scalar value."""

    def lower(self, value: Value, keep: Keep) -> bytes:
        """Make the image; raises BadValue."""
        if not isinstance(value, str):
            raise BadType(f"{type(value).__name__} is no str")
        if len(value) != 1 or "\ud800" <= value <= "\udfff":
            raise BadValue(f"{shown(value)} is no Unicode scalar value")
        return WORDS.pack(11, ord(value), 0, 0)

    def lift(self, image: bytes, lifting: Lifting) -> Value:
        """Read the value of an image."""
        return chr(int.from_bytes(image[8:12], "little"))


@attrs.frozen(eq=False)
class String:
    """Text; wasmtime aborts the process on what is not UTF-8, so it is encoded and checked here."""

    def lower(self, value: Value, keep: Keep) -> bytes:
        """Make the image; raises BadValue."""
        if not isinstance(value, str):
            raise BadType(f"{type(value).__name__} is no str")
        keep.spend(len(value) // TEXT_STEP)
        try:
            data = _encoded(str.__str__(value), keep)  # not what a subclass makes of it
        except UnicodeEncodeError as exc:
            raise BadValue(f"no text of Unicode scalar values: {exc}") from None
        keep.append(data)
        return WORDS.pack(12, len(data), address_of(data), 0)

    def lift(self, image: bytes, lifting: Lifting) -> Value:
        """Read the value of an image."""
        size, data = SIZED.unpack_from(image, 8)
        lifting.grow(size, size // TEXT_STEP)
        if size > _TEXT_CHUNK:
            return _decoded_in_chunks(data, size, lifting)
        return text_at(data, size, None) if size else ""


_TEXT_CHUNK: Final = MOST_STEPS * TEXT_STEP
"""Text that is encoded or decoded in one go, no more in a thread than on the loop: no other Python thread runs."""


def _encoded(value: str, keep: Keep) -> bytes:
    """As UTF-8, in chunks; to put them together takes a tenth of that."""
    if len(value) <= _TEXT_CHUNK:
        return value.encode()
    parts = []
    for start in range(0, len(value), _TEXT_CHUNK):
        parts.append(value[start : start + _TEXT_CHUNK].encode())
        keep.spend(_TEXT_CHUNK // TEXT_STEP)
    return b"".join(parts)


def _decoded_in_chunks(data: int, size: int, lifting: Lifting) -> str:
    parts, decode = [], codecs.getincrementaldecoder("utf-8")().decode
    for start in range(0, size, _TEXT_CHUNK):
        parts.append(decode(string_at(data + start, min(_TEXT_CHUNK, size - start))))
        lifting.spend(_TEXT_CHUNK // TEXT_STEP)
    return "".join(parts)


_CHUNK: Final = 16_384
"""Bytes turned into images, or back, in one go: 512 KiB of images, some 100 µs in which no other Python thread runs."""


@attrs.frozen(eq=False)
class ByteList:
    """`list<u8>`: one image of 32 bytes for each byte, written and read by extended slices at C speed.

    Large lists are for threads of their own, which let go of the GIL after each chunk, so that the event loop goes on.
    """

    def lower(self, value: Value, keep: Keep) -> bytes:
        """Make the image; raises BadValue."""
        if not isinstance(value, bytes | bytearray | memoryview):
            raise BadType(f"{type(value).__name__} is not bytes")
        if type(value) is not bytes:  # it may change or be in pieces, its items may be larger than bytes
            value = memoryview(value).tobytes()
        size = len(value)
        keep.spend(size // BYTE_STEP)
        if size > _CHUNK:
            return WORDS.pack(13, size, _lowered_in_chunks(value, keep), 0)
        images = bytearray(_BYTE_ITEM) * size
        images[8::VAL_BYTES] = value
        held = (ctypes.c_char * len(images)).from_buffer(images)
        keep.append(held)
        return WORDS.pack(13, size, ctypes.addressof(held), 0)

    def lift(self, image: bytes, lifting: Lifting) -> Value:
        """Read the value of an image."""
        size, data = SIZED.unpack_from(image, 8)
        lifting.grow(size, size // BYTE_STEP)
        if size <= _CHUNK:
            return string_at(data, size * VAL_BYTES)[8::VAL_BYTES] if size else b""
        parts = []
        for start in range(0, size, _CHUNK):
            length = min(_CHUNK, size - start)
            parts.append(string_at(data + start * VAL_BYTES, length * VAL_BYTES)[8::VAL_BYTES])
            lifting.spend(length // BYTE_STEP)
        return b"".join(parts)


_RELEASED_AT_ONCE: Final = 2_000
"""Images that are freed while no other Python thread runs: some 100 µs. A conversion on the loop makes fewer."""


def release(keep: Keep) -> None:
    """Let go of what was kept for wasmtime; the memory of large lists without holding the GIL, unlike its deletion."""
    for held in keep:
        if type(held) is not bytes:  # which most are
            close = getattr(held, "close", None)
            if close is not None:
                close()
    if isinstance(keep, Lowering):
        keep.end()
    while len(keep) > _RELEASED_AT_ONCE:
        del keep[-_RELEASED_AT_ONCE:]
        time.sleep(0)
    keep.clear()


def undo(keep: Keep) -> None:
    """Give back what was about to be passed, of a call that did not begin; it may be begun anew."""
    if isinstance(keep, Lowering):
        keep.undo()
    release(keep)


def images_of(count: int, keep: Keep) -> tuple[mmap.mmap, int]:
    """Room for the images of a large list, in anonymous memory that is not cleared twice; and its address."""
    memory = mmap.mmap(-1, count * VAL_BYTES)
    keep.append(memory)
    return memory, ctypes.addressof(ctypes.c_char.from_buffer(memory))


def _lowered_in_chunks(value: bytes, keep: Keep) -> int:
    """The address of the images of a large list."""
    memory, address = images_of(len(value), keep)
    source = memoryview(value)
    images = bytearray(_BYTE_ITEM) * _CHUNK
    for start in range(0, len(source), _CHUNK):
        part = source[start : start + _CHUNK]
        if len(part) < _CHUNK:
            del images[len(part) * VAL_BYTES :]
        images[8::VAL_BYTES] = part
        memory[start * VAL_BYTES : (start + len(part)) * VAL_BYTES] = images
        keep.spend(len(part) // BYTE_STEP)
    return address


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
