"""The codecs that need no class: lists, tuples, options, results, enums; and how codecs are put inside others."""

from ctypes import string_at
from typing import TYPE_CHECKING, Final, final

import attrs

from airssys_wasm.core.calls import BadType, BadValue, Err, Ok, Some, shown
from airssys_wasm.runtime.abi.capi import VAL_BYTES
from airssys_wasm.runtime.abi.values import SIZED, WORDS, Codec, Keep, Value, address_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airssys_wasm.runtime.abi.handles import Handles

LIST: Final = 13
TUPLE: Final = 15
_NONE: Final = WORDS.pack(18, 0, 0, 0)


def step(name: str, codec: Codec, value: Value, keep: Keep) -> bytes:
    """Lower a value inside another; what is wrong with it is said with its place."""
    try:
        return codec.lower(value, keep)
    except BadValue as exc:
        raise exc.inside(name) from None


def pointer_to(codec: Codec | None, value: Value, name: str, keep: Keep) -> int:
    """The address of a value's image; 0 where there is none to have."""
    if codec is None:
        if value is not None:
            raise BadValue(f"takes no value, but got {shown(value)}", name)
        return 0
    image = step(name, codec, value, keep)
    keep.append(image)
    return address_of(image)


def follow(codec: Codec | None, pointer: int, handles: "Handles | None") -> Value:
    """Read the value behind a pointer of an image."""
    return codec.lift(string_at(pointer, VAL_BYTES), handles) if codec is not None and pointer else None


@final
@attrs.frozen(eq=False)
class Sequence:
    """A list (kind 13, any length) or a tuple (kind 15, one codec per item)."""

    kind: int
    items: tuple[Codec, ...]

    def lower(self, value: Value, keep: Keep) -> bytes:
        """Make the image; raises BadValue."""
        if not isinstance(value, list | tuple):
            raise BadType(f"{type(value).__name__} is no list or tuple")
        value = tuple(value)  # a list may change meanwhile
        codecs = self.items * len(value) if self.kind == LIST else self.items
        if len(codecs) != len(value):
            raise BadValue(f"{len(value)} items instead of {len(codecs)}")
        data = b"".join(
            [step(f"[{at}]", codec, item, keep) for at, (codec, item) in enumerate(zip(codecs, value, strict=True))]
        )
        keep.append(data)
        return WORDS.pack(self.kind, len(value), address_of(data), 0)

    def lift(self, image: bytes, handles: "Handles | None" = None) -> Value:
        """Read the value of an image."""
        size, data = SIZED.unpack_from(image, 8)
        raw = string_at(data, size * VAL_BYTES) if size else b""
        images = [raw[at : at + VAL_BYTES] for at in range(0, len(raw), VAL_BYTES)]
        if self.kind == LIST:
            return [self.items[0].lift(item, handles) for item in images]
        return tuple(codec.lift(item, handles) for codec, item in zip(self.items, images, strict=True))


@final
@attrs.frozen(eq=False)
class Option:
    """None or a value."""

    some: Codec

    def lower(self, value: Value, keep: Keep) -> bytes:
        """Make the image; raises BadValue."""
        return _NONE if value is None else WORDS.pack(18, pointer_to(self.some, value, "", keep), 0, 0)

    def lift(self, image: bytes, handles: "Handles | None" = None) -> Value:
        """Read the value of an image."""
        return follow(self.some, SIZED.unpack_from(image, 8)[0], handles)


@final
@attrs.frozen(eq=False)
class OptionOfOption:
    """None or `Some` of what is again None or a value."""

    some: Codec

    def lower(self, value: Value, keep: Keep) -> bytes:
        """Make the image; raises BadValue."""
        if value is None:
            return _NONE
        if not isinstance(value, Some):
            raise BadType(f"{shown(value)} is neither None nor Some")
        return WORDS.pack(18, pointer_to(self.some, value.value, "", keep), 0, 0)

    def lift(self, image: bytes, handles: "Handles | None" = None) -> Value:
        """Read the value of an image."""
        pointer = SIZED.unpack_from(image, 8)[0]
        return Some(follow(self.some, pointer, handles)) if pointer else None


@final
@attrs.frozen(eq=False)
class Result:
    """`Ok` or `Err`."""

    ok: Codec | None
    err: Codec | None

    def lower(self, value: Value, keep: Keep) -> bytes:
        """Make the image; raises BadValue."""
        if not isinstance(value, Ok | Err):
            raise BadType(f"{shown(value)} is neither Ok nor Err")
        good = isinstance(value, Ok)
        codec = self.ok if good else self.err
        return WORDS.pack(19, good, pointer_to(codec, value.value, ".ok" if good else ".err", keep), 0)

    def lift(self, image: bytes, handles: "Handles | None" = None) -> Value:
        """Read the value of an image."""
        good, pointer = SIZED.unpack_from(image, 8)
        if good & 0xFF:
            return Ok(follow(self.ok, pointer, handles))
        return Err(follow(self.err, pointer, handles))


@final
@attrs.frozen(eq=False)
class Enumerated:
    """An enum: one of its WIT names goes in, the member for it comes out."""

    names: dict[str, bytes]
    members: dict[bytes, Value]

    def lower(self, value: Value, _keep: Keep) -> bytes:
        """Make the image; raises BadValue."""
        data = self.names.get(value) if isinstance(value, str) else None
        if data is None:
            raise BadValue(f"{shown(value)} is none of {', '.join(self.names)}")
        return WORDS.pack(17, len(data), address_of(data), 0)

    def lift(self, image: bytes, _handles: "Handles | None" = None) -> Value:
        """Read it back."""
        size, data = SIZED.unpack_from(image, 8)
        return self.members[string_at(data, size)]


def lower_flags(names: "dict[str, bytes]", value: "Iterable[Value]", keep: Keep) -> bytes:
    """The image of flags (kind 20) from the names that are set; a name that is none of them is refused."""
    images = dict[bytes, bytes]()
    for name in value:
        data = names.get(name) if isinstance(name, str) else None
        if data is None:
            raise BadValue(f"{shown(name)} is none of {', '.join(names)}")
        images[data] = SIZED.pack(len(data), address_of(data))
    raw = b"".join(images.values())
    keep.append(raw)
    return WORDS.pack(20, len(images), address_of(raw), 0)


def lift_flags(image: bytes) -> "list[str]":
    """The names that are set."""
    size, data = SIZED.unpack_from(image, 8)
    raw = string_at(data, size * SIZED.size) if size else b""
    return [string_at(start, length).decode() for length, start in SIZED.iter_unpack(raw)]
