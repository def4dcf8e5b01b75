"""Codecs: one WIT type to and from the memory image of wasmtime's component values, made once per type.

Python's forms: bool, int, float, str; `list<u8>` bytes, other lists list; record and tuple: tuple; variant: a pair
(case, value or None); enum: str; option: None or the value; result: `Ok` or `Err`.
"""

from collections.abc import Callable
from ctypes import string_at
from struct import Struct
from typing import Final

import attrs

from airssys_wasm.runtime.abi.capi import ENTRY_BYTES, VAL_BYTES
from airssys_wasm.runtime.abi.types import (
    BYTES,
    EnumType,
    ListType,
    OptionType,
    RecordType,
    ResultType,
    Scalar,
    TupleType,
    VariantType,
    WitType,
)
from airssys_wasm.runtime.abi.values import (
    NUMBERS,
    SIZED,
    WORDS,
    BadValue,
    ByteList,
    Char,
    Codec,
    Err,
    Keep,
    Number,
    Ok,
    String,
    Value,
    address_of,
)


@attrs.frozen(eq=False)
class _Sequence:
    """A list (kind 13, any length) or a tuple (kind 15, one codec per item)."""

    kind: int
    items: tuple[Codec, ...]

    def lower(self, value: Value, keep: Keep) -> bytes:
        if not isinstance(value, list | tuple):
            raise BadValue(f"{type(value).__name__} is no list or tuple")
        codecs = self.items * len(value) if self.kind == _LIST else self.items
        if len(codecs) != len(value):
            raise BadValue(f"{len(value)} items instead of {len(codecs)}")
        data = b"".join(
            [_step(f"[{at}]", codec, item, keep) for at, (codec, item) in enumerate(zip(codecs, value, strict=True))]
        )
        keep.append(data)
        return WORDS.pack(self.kind, len(value), address_of(data), 0)

    def lift(self, image: bytes) -> Value:
        size, data = SIZED.unpack_from(image, 8)
        raw = string_at(data, size * VAL_BYTES) if size else b""
        images = [raw[at : at + VAL_BYTES] for at in range(0, len(raw), VAL_BYTES)]
        if self.kind == _LIST:
            return [self.items[0].lift(item) for item in images]
        return tuple(codec.lift(item) for codec, item in zip(self.items, images, strict=True))


@attrs.frozen(eq=False)
class _Record:
    fields: tuple[tuple[str, bytes, Codec], ...]
    """Name, its (size, address) image, and codec of each field."""
    names: tuple[bytes, ...]
    """Keeps the encoded names alive."""

    def lower(self, value: Value, keep: Keep) -> bytes:
        if not isinstance(value, tuple) or len(value) != len(self.fields):
            raise BadValue(f"{value!r} is no tuple of {len(self.fields)} fields")
        parts = []
        for (name, name_image, codec), item in zip(self.fields, value, strict=True):
            parts.append(name_image)
            parts.append(_step("." + name, codec, item, keep))
        data = b"".join(parts)
        keep.append(data)
        return WORDS.pack(14, len(self.fields), address_of(data), 0)

    def lift(self, image: bytes) -> Value:
        size, data = SIZED.unpack_from(image, 8)
        raw = string_at(data, size * ENTRY_BYTES)
        starts = range(ENTRY_BYTES - VAL_BYTES, len(raw), ENTRY_BYTES)
        return tuple(field[2].lift(raw[at : at + VAL_BYTES]) for at, field in zip(starts, self.fields, strict=True))


@attrs.frozen(eq=False)
class _Variant:
    cases: dict[str, tuple[bytes, Codec | None]]

    def lower(self, value: Value, keep: Keep) -> bytes:
        name, payload = value if isinstance(value, tuple) and len(value) == 2 else (None, None)  # noqa: PLR2004
        if not isinstance(name, str) or name not in self.cases:
            raise BadValue(f"{value!r} is no pair of a case ({', '.join(self.cases)}) and its value")
        data, codec = self.cases[name]
        return WORDS.pack(16, len(data), address_of(data), _pointer(codec, payload, "." + name, keep))

    def lift(self, image: bytes) -> Value:
        _, size, data, pointer = WORDS.unpack(image)
        name = string_at(data, size).decode()
        return (name, _follow(self.cases[name][1], pointer))


@attrs.frozen(eq=False)
class _Enum:
    names: dict[str, bytes]

    def lower(self, value: Value, keep: Keep) -> bytes:
        data = self.names.get(value) if isinstance(value, str) else None
        if data is None:
            raise BadValue(f"{value!r} is none of {', '.join(self.names)}")
        return WORDS.pack(17, len(data), address_of(data), 0)

    def lift(self, image: bytes) -> Value:
        size, data = SIZED.unpack_from(image, 8)
        return string_at(data, size).decode()


@attrs.frozen(eq=False)
class Interned:
    """Keeps the images of values that come again and again, such as ids: lowering one is then a look-up.

    Bounded: when there are too many, it starts afresh; images still in use are kept alive by their users.
    """

    codec: Codec
    images: dict[Value, tuple[bytes, Keep]] = attrs.field(factory=dict)

    def lower(self, value: Value, keep: Keep) -> bytes:
        """Make the image, or give back the one made before."""
        try:
            known = self.images.get(value)
        except TypeError:  # not hashable, so it is none of ours and the codec will say what is wrong
            return self.codec.lower(value, keep)
        if known is None:
            if len(self.images) >= _MAX_INTERNED:
                self.images.clear()
            held: Keep = []
            known = self.images[value] = (self.codec.lower(value, held), held)
        keep.append(known)
        return known[0]

    def lift(self, image: bytes) -> Value:
        """Read the value of an image."""
        return self.codec.lift(image)


@attrs.frozen(eq=False)
class _Option:
    some: Codec

    def lower(self, value: Value, keep: Keep) -> bytes:
        return _NONE if value is None else WORDS.pack(18, _pointer(self.some, value, "", keep), 0, 0)

    def lift(self, image: bytes) -> Value:
        return _follow(self.some, SIZED.unpack_from(image, 8)[0])


@attrs.frozen(eq=False)
class _Result:
    ok: Codec | None
    err: Codec | None

    def lower(self, value: Value, keep: Keep) -> bytes:
        if not isinstance(value, Ok | Err):
            raise BadValue(f"{value!r} is neither Ok nor Err")
        good = isinstance(value, Ok)
        codec = self.ok if good else self.err
        return WORDS.pack(19, good, _pointer(codec, value.value, ".ok" if good else ".err", keep), 0)

    def lift(self, image: bytes) -> Value:
        good, pointer = SIZED.unpack_from(image, 8)
        if good & 0xFF:
            return Ok(_follow(self.ok, pointer))
        return Err(_follow(self.err, pointer))


_MAX_INTERNED: Final = 4096
_NONE: Final = WORDS.pack(18, 0, 0, 0)
_LIST: Final = 13
_TUPLE: Final = 15


def _step(name: str, codec: Codec, value: Value, keep: Keep) -> bytes:
    try:
        return codec.lower(value, keep)
    except BadValue as exc:
        raise exc.inside(name) from None


def _pointer(codec: Codec | None, value: Value, name: str, keep: Keep) -> int:
    if codec is None:
        if value is not None:
            raise BadValue(f"takes no value, but got {value!r}", name)
        return 0
    image = _step(name, codec, value, keep)
    keep.append(image)
    return address_of(image)


def _follow(codec: Codec | None, pointer: int) -> Value:
    return codec.lift(string_at(pointer, VAL_BYTES)) if codec is not None and pointer else None


def codec_for(of: WitType, *interned: WitType) -> Codec:
    """Make the codec of a type; `interned` are types inside it whose values come again and again.

    Raises:
        TypeError: There is no codec for a type inside it; the text names that type.
    """

    def make(part: WitType) -> Codec:
        codec = codec_for(part, *interned)
        return Interned(codec) if part in interned else codec

    match of:
        case Scalar():
            return _scalar_codec(of.name)
        case ListType() if of == BYTES:
            codec: Codec = ByteList()
        case ListType(element):
            codec = _Sequence(_LIST, (make(element),))
        case TupleType(items):
            codec = _Sequence(_TUPLE, tuple(map(make, items)))
        case OptionType(some) if not isinstance(some, OptionType):
            codec = _Option(make(some))
        case ResultType(ok, err):
            codec = _Result(_maybe(ok, make), _maybe(err, make))
        case _:
            codec = _named_codec_for(of, make)
    return codec


def _scalar_codec(name: str) -> Codec:
    if name == "string":
        return String()
    if name == "char":
        return Char()
    layout, kind = NUMBERS[name]
    return Number(name, Struct(layout), kind)


def _named_codec_for(of: WitType, make: Callable[[WitType], Codec]) -> Codec:
    """Types whose image holds names: these are encoded once and kept by the codec."""
    match of:
        case RecordType(fields):
            names = tuple(name.encode() for name, _ in fields)
            images = [SIZED.pack(len(name), address_of(name)) for name in names]
            named = tuple((field[0], image, make(field[1])) for field, image in zip(fields, images, strict=True))
            return _Record(named, names)
        case VariantType(cases):
            return _Variant({name: (name.encode(), _maybe(payload, make)) for name, payload in cases})
        case EnumType(names):
            return _Enum({name: name.encode() for name in names})
        case _:
            msg = f"no codec for {of}"
            raise TypeError(msg)


def _maybe(of: WitType | None, make: Callable[[WitType], Codec]) -> Codec | None:
    return None if of is None else make(of)
