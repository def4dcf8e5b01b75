"""The codecs that need no class: lists, tuples, options, results, enums; and how codecs are put inside others."""

from ctypes import string_at
from typing import TYPE_CHECKING, Final, final

import attrs

from airssys_wasm.core.calls import BadType, BadValue, Err, Ok, Some, shown
from airssys_wasm.runtime.abi.capi import VAL_BYTES
from airssys_wasm.runtime.abi.pace import DEAR_STEPS, MOST_STEPS, Lifting
from airssys_wasm.runtime.abi.values import SIZED, WORDS, Codec, Keep, Value, address_of, images_of

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    keep.spend(1)
    image = step(name, codec, value, keep)
    keep.append(image)
    return address_of(image)


def follow(codec: Codec | None, pointer: int, lifting: Lifting) -> Value:
    """Read the value behind a pointer of an image."""
    if codec is None or not pointer:
        return None
    lifting.grow(1, 1)
    return codec.lift(string_at(pointer, VAL_BYTES), lifting)


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
        size = len(value)
        if self.kind == LIST:
            return WORDS.pack(LIST, size, _lowered(self.items[0], value, keep), 0)
        if size != len(self.items):
            raise BadValue(f"{size} items instead of {len(self.items)}")
        keep.spend(size)
        data = b"".join(
            [step(f"[{at}]", codec, item, keep) for at, (codec, item) in enumerate(zip(self.items, value, strict=True))]
        )
        keep.append(data)
        return WORDS.pack(TUPLE, size, address_of(data), 0)

    def lift(self, image: bytes, lifting: Lifting) -> Value:
        """Read the value of an image."""
        size, data = SIZED.unpack_from(image, 8)
        if self.kind == LIST:
            return _lifted(self.items[0], size, data, lifting)
        lifting.grow(size, size)
        images = _images(data, size)
        return tuple([codec.lift(item, lifting) for codec, item in zip(self.items, images, strict=True)])


def _lowered(codec: Codec, value: Value, keep: Keep) -> int:
    """The address of the images of a list's items."""
    size = len(value)
    if size <= MOST_STEPS:
        keep.spend(size)
        data = _joined(codec, value, range(size), keep)
        keep.append(data)
        return address_of(data)
    memory, address = images_of(size, keep)
    for part in keep.parts(size):
        memory[part.start * VAL_BYTES : part.stop * VAL_BYTES] = _joined(codec, value, part, keep)
    return address


def _joined(codec: Codec, value: Value, part: range, keep: Keep) -> bytes:
    items = value[part.start : part.stop]
    if len(items) != len(part):
        raise BadValue("has become shorter meanwhile")
    return b"".join([step(f"[{at}]", codec, item, keep) for at, item in zip(part, items, strict=True)])


def _lifted(codec: Codec, size: int, data: int, lifting: Lifting) -> list[Value]:
    """The items of a list whose images begin at an address."""
    lifting.size += size
    items: list[Value] = []
    for part in lifting.parts(size):
        images = _images(data + part.start * VAL_BYTES, len(part))
        items += [codec.lift(image, lifting) for image in images]
    return items


def _images(data: int, count: int) -> list[bytes]:
    raw = string_at(data, count * VAL_BYTES) if count else b""
    return [raw[at : at + VAL_BYTES] for at in range(0, len(raw), VAL_BYTES)]


@final
@attrs.frozen(eq=False)
class Option:
    """None or a value."""

    some: Codec

    def lower(self, value: Value, keep: Keep) -> bytes:
        """Make the image; raises BadValue."""
        return _NONE if value is None else WORDS.pack(18, pointer_to(self.some, value, "", keep), 0, 0)

    def lift(self, image: bytes, lifting: Lifting) -> Value:
        """Read the value of an image."""
        return follow(self.some, SIZED.unpack_from(image, 8)[0], lifting)


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

    def lift(self, image: bytes, lifting: Lifting) -> Value:
        """Read the value of an image."""
        pointer = SIZED.unpack_from(image, 8)[0]
        return Some(follow(self.some, pointer, lifting)) if pointer else None


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

    def lift(self, image: bytes, lifting: Lifting) -> Value:
        """Read the value of an image."""
        good, pointer = SIZED.unpack_from(image, 8)
        if good & 0xFF:
            return Ok(follow(self.ok, pointer, lifting))
        return Err(follow(self.err, pointer, lifting))


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

    def lift(self, image: bytes, _lifting: Lifting) -> Value:
        """Read it back."""
        size, data = SIZED.unpack_from(image, 8)
        return self.members[string_at(data, size)]


def lower_flags(names: "dict[str, bytes]", value: "Iterable[Value]", keep: Keep) -> bytes:
    """The image of flags (kind 20) from the names that are set; a name that is none of them is refused."""
    keep.spend(DEAR_STEPS)
    images = dict[bytes, bytes]()
    for name in value:
        keep.spend(1)
        data = names.get(name) if isinstance(name, str) else None
        if data is None:
            raise BadValue(f"{shown(name)} is none of {', '.join(names)}")
        images[data] = SIZED.pack(len(data), address_of(data))
    raw = b"".join(images.values())
    keep.append(raw)
    return WORDS.pack(20, len(images), address_of(raw), 0)


def lift_flags(image: bytes, lifting: Lifting) -> "list[str]":
    """The names that are set."""
    size, data = SIZED.unpack_from(image, 8)
    lifting.grow(size, size + DEAR_STEPS)
    raw = string_at(data, size * SIZED.size) if size else b""
    return [string_at(start, length).decode() for length, start in SIZED.iter_unpack(raw)]
