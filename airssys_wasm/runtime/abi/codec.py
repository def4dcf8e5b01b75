"""Codecs: one WIT type to and from the memory image of wasmtime's component values, made once per type.

| WIT | plain Python | with shapes (`shaped.py`) |
|---|---|---|
| bool, integers, floats, char, string | bool, int, float, str | the same |
| `list<u8>` | bytes; any buffer is taken | the same |
| list, tuple | list, tuple | the same |
| option; an option of an option | None or the value; None or `Some` | the same |
| result | `Ok` or `Err` | the same |
| record | a tuple of its fields | a frozen dataclass |
| variant | a pair (case, value or None) | a frozen dataclass for each case |
| enum | its name | a member of a StrEnum |
| flags | a frozenset of names | a value of a Flag |
| own, borrow | a `GuestResource`, or the host's own object (`handles.py`) | the same |
"""

from collections.abc import Callable
from ctypes import string_at
from struct import Struct
from typing import TYPE_CHECKING, Final

import attrs

from airssys_wasm.core.calls import BadType, BadValue, shown
from airssys_wasm.runtime.abi.capi import ENTRY_BYTES, VAL_BYTES
from airssys_wasm.runtime.abi.compound import (
    LIST,
    TUPLE,
    Enumerated,
    Option,
    OptionOfOption,
    Result,
    Sequence,
    follow,
    lift_flags,
    lower_flags,
    pointer_to,
    step,
)
from airssys_wasm.runtime.abi.handles import Borrow, Own
from airssys_wasm.runtime.abi.pace import Lifting
from airssys_wasm.runtime.abi.shaped import shaped_codec_for
from airssys_wasm.runtime.abi.types import (
    BYTES,
    BorrowType,
    EnumType,
    FlagsType,
    ListType,
    OptionType,
    OwnType,
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
    ByteList,
    Char,
    Codec,
    Keep,
    Number,
    String,
    Value,
    address_of,
)

if TYPE_CHECKING:
    from airssys_wasm.runtime.abi.shapes import Shapes


@attrs.frozen(eq=False)
class _Record:
    fields: tuple[tuple[str, bytes, Codec], ...]
    """Name, its (size, address) image, and codec of each field."""
    names: tuple[bytes, ...]
    """Keeps the encoded names alive."""

    def lower(self, value: Value, keep: Keep) -> bytes:
        if not isinstance(value, tuple) or len(value) != len(self.fields):
            raise BadType(f"{shown(value)} is no tuple of {len(self.fields)} fields")
        keep.spend(len(self.fields))
        parts = []
        for (name, name_image, codec), item in zip(self.fields, value, strict=True):
            parts.append(name_image)
            parts.append(step("." + name, codec, item, keep))
        data = b"".join(parts)
        keep.append(data)
        return WORDS.pack(14, len(self.fields), address_of(data), 0)

    def lift(self, image: bytes, lifting: Lifting) -> Value:
        size, data = SIZED.unpack_from(image, 8)
        lifting.grow(size, size)
        raw = string_at(data, size * ENTRY_BYTES)
        starts = range(ENTRY_BYTES - VAL_BYTES, len(raw), ENTRY_BYTES)
        return tuple(
            field[2].lift(raw[at : at + VAL_BYTES], lifting) for at, field in zip(starts, self.fields, strict=True)
        )


@attrs.frozen(eq=False)
class _Variant:
    cases: dict[str, tuple[bytes, Codec | None]]

    def lower(self, value: Value, keep: Keep) -> bytes:
        name, payload = value if isinstance(value, tuple) and len(value) == 2 else (None, None)  # noqa: PLR2004
        if not isinstance(name, str) or name not in self.cases:
            raise BadValue(f"{shown(value)} is no pair of a case ({', '.join(self.cases)}) and its value")
        data, codec = self.cases[name]
        return WORDS.pack(16, len(data), address_of(data), pointer_to(codec, payload, "." + name, keep))

    def lift(self, image: bytes, lifting: Lifting) -> Value:
        _, size, data, pointer = WORDS.unpack(image)
        name = string_at(data, size).decode()
        return (name, follow(self.cases[name][1], pointer, lifting))


@attrs.frozen(eq=False)
class _Flags:
    names: dict[str, bytes]

    def lower(self, value: Value, keep: Keep) -> bytes:
        if not isinstance(value, frozenset | set | list | tuple):
            raise BadType(f"{type(value).__name__} is no set of names")
        return lower_flags(self.names, value, keep)

    def lift(self, image: bytes, lifting: Lifting) -> Value:
        return frozenset(lift_flags(image, lifting))


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
            held = Keep()
            known = self.images[value] = (self.codec.lower(value, held), held)
        keep.append(known)
        return known[0]

    def lift(self, image: bytes, lifting: Lifting) -> Value:
        """Read the value of an image."""
        return self.codec.lift(image, lifting)


_MAX_INTERNED: Final = 4096


def codec_for(of: WitType, *interned: WitType, shapes: "Shapes | None" = None) -> Codec:
    """Make the codec of a type.

    Args:
        of: the type.
        interned: types inside it whose values come again and again.
        shapes: the Python classes for its records, variants, enums and flags; None for the plain forms.

    Raises:
        BadType: There is no codec for a type inside it; the text names that type.
    """

    def make(part: WitType) -> Codec:
        codec = codec_for(part, *interned, shapes=shapes)
        return Interned(codec) if part in interned else codec

    shaped = None if shapes is None else shaped_codec_for(of, shapes, make)
    return shaped or _plain_codec_for(of, make)


def _plain_codec_for(of: WitType, make: Callable[[WitType], Codec]) -> Codec:  # noqa: PLR0911 - one line a kind of type
    match of:
        case Scalar():
            return _scalar_codec(of.name)
        case ListType() if of == BYTES:
            return ByteList()
        case ListType(element):
            return Sequence(LIST, (make(element),))
        case TupleType(items):
            return Sequence(TUPLE, tuple(map(make, items)))
        case OptionType(some):
            return (OptionOfOption if isinstance(some, OptionType) else Option)(make(some))
        case ResultType(ok, err):
            return Result(_maybe(ok, make), _maybe(err, make))
        case OwnType(resource):
            return Own(resource)
        case BorrowType(resource):
            return Borrow(resource)
        case _:
            return _named_codec_for(of, make)


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
            return Enumerated({name: name.encode() for name in names}, {name.encode(): name for name in names})
        case FlagsType(names):
            return _Flags({name: name.encode() for name in names})
        case _:
            raise BadType(f"no codec for {of}")


def _maybe(of: WitType | None, make: Callable[[WitType], Codec]) -> Codec | None:
    return None if of is None else make(of)
