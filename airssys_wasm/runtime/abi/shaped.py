"""Codecs for the types that have Python classes (`shapes.py`).

What is taken besides an instance of the class:

| WIT | also taken |
|---|---|
| record | any object with attributes of the fields' names; a dict with exactly the fields |
| variant | any object with `tag` and `value`; a pair (case, value); for a case without value its name |
| enum | a str: the WIT name |
| flags | a Flag of another class with the same bits; a set, list or tuple of WIT names |
"""

import enum
from collections.abc import Callable
from ctypes import string_at
from typing import TYPE_CHECKING, Any

import attrs

from airssys_wasm.core.calls import BadType, BadValue, shown
from airssys_wasm.runtime.abi.capi import ENTRY_BYTES, VAL_BYTES
from airssys_wasm.runtime.abi.compound import Enumerated, follow, lift_flags, lower_flags, pointer_to, step
from airssys_wasm.runtime.abi.names import snake
from airssys_wasm.runtime.abi.pace import Lifting
from airssys_wasm.runtime.abi.types import EnumType, FlagsType, RecordType, VariantType, WitType
from airssys_wasm.runtime.abi.values import SIZED, WORDS, Codec, Keep, Value, address_of

if TYPE_CHECKING:
    from airssys_wasm.runtime.abi.shapes import Shapes


@attrs.frozen(eq=False)
class _Field:
    name: str
    attribute: str
    data: bytes
    """The encoded name."""
    image: bytes
    """Its (size, address), as record entries begin."""
    codec: Codec


@attrs.frozen(eq=False)
class _Record:
    cls: type
    fields: tuple[_Field, ...]

    def lower(self, value: Value, keep: Keep) -> bytes:
        keep.spend(len(self.fields))
        parts = []
        for field, item in zip(self.fields, self._items(value), strict=True):
            parts.append(field.image)
            parts.append(step("." + field.attribute, field.codec, item, keep))
        data = b"".join(parts)
        keep.append(data)
        return WORDS.pack(14, len(self.fields), address_of(data), 0)

    def lift(self, image: bytes, lifting: Lifting) -> Value:
        size, data = SIZED.unpack_from(image, 8)
        lifting.grow(size, size)
        raw = string_at(data, size * ENTRY_BYTES)
        starts = range(ENTRY_BYTES - VAL_BYTES, len(raw), ENTRY_BYTES)
        items = [f.codec.lift(raw[at : at + VAL_BYTES], lifting) for at, f in zip(starts, self.fields, strict=True)]
        return None if lifting.trial else self.cls(*items)  # which may look at what it gets

    def _items(self, value: Value) -> list[Any]:
        if isinstance(value, dict):
            return self._items_of_dict(value)
        try:
            return [getattr(value, field.attribute) for field in self.fields]
        except AttributeError:
            missing = next(field.attribute for field in self.fields if not hasattr(value, field.attribute))
            raise BadType(f"{type(value).__name__} is no {self.cls.__name__}: it has no {missing}") from None

    def _items_of_dict(self, value: dict[Any, Any]) -> list[Any]:
        known = {name for field in self.fields for name in (field.name, field.attribute)}
        unknown = [key for key in value if key not in known]
        if unknown:
            raise BadValue(f"{self.cls.__name__} has no {shown(unknown[0])}")
        items = []
        for field in self.fields:
            key = field.attribute if field.attribute in value else field.name
            if key not in value:
                raise BadValue("is missing", "." + field.attribute)
            items.append(value[key])
        return items


@attrs.frozen(eq=False)
class _Variant:
    cases: dict[str, tuple[bytes, Codec | None, type]]

    def lower(self, value: Value, keep: Keep) -> bytes:
        tag, payload = _tag_and_value(value)
        case = self.cases.get(tag) if isinstance(tag, str) else None
        if case is None:
            raise BadValue(f"{shown(value)} is none of {', '.join(self.cases)}")
        data, codec, _ = case
        return WORDS.pack(16, len(data), address_of(data), pointer_to(codec, payload, f".{tag}", keep))

    def lift(self, image: bytes, lifting: Lifting) -> Value:
        _, size, data, pointer = WORDS.unpack(image)
        _, codec, cls = self.cases[string_at(data, size).decode()]
        if codec is None:
            return cls()
        value = follow(codec, pointer, lifting)
        return None if lifting.trial else cls(value)


def _tag_and_value(value: Value) -> tuple[Any, Any]:
    match value:
        case str():
            return str.__str__(value), None
        case (tag, payload):
            return tag, payload
        case _:
            return getattr(value, "tag", None), getattr(value, "value", None)


@attrs.frozen(eq=False)
class _Flags:
    cls: type
    names: dict[str, bytes]
    bits: dict[str, int]

    def lower(self, value: Value, keep: Keep) -> bytes:
        if isinstance(value, enum.Flag) and isinstance(value.value, int):
            if not 0 <= value.value < 1 << len(self.bits):
                raise BadValue(f"{value!r} has more than {', '.join(self.names)}")
            return lower_flags(self.names, [name for name, bit in self.bits.items() if value.value & bit], keep)
        if isinstance(value, frozenset | set | list | tuple):
            return lower_flags(self.names, value, keep)
        raise BadType(f"{shown(value)} is no {self.cls.__name__} and no set of names")

    def lift(self, image: bytes, lifting: Lifting) -> Value:
        return self.cls(sum([self.bits[name] for name in lift_flags(image, lifting)]))


def shaped_codec_for(of: WitType, shapes: "Shapes", make: Callable[[WitType], Codec]) -> Codec | None:
    """The codec of a type that has a class; None for others."""
    match of:
        case RecordType(fields):
            return _Record(shapes.class_of(of), tuple(_field(name, make(part)) for name, part in fields))
        case VariantType(cases):
            classes = shapes.cases_of(of)
            payloads = {name: None if part is None else make(part) for name, part in cases}
            return _Variant({name: (name.encode(), codec, classes[name]) for name, codec in payloads.items()})
        case EnumType(names):
            encoded, cls = {name: name.encode() for name in names}, shapes.class_of(of)
            return Enumerated(encoded, {data: cls(name) for name, data in encoded.items()})
        case FlagsType(names):
            bits = {name: 1 << bit for bit, name in enumerate(names)}
            return _Flags(shapes.class_of(of), {name: name.encode() for name in names}, bits)
        case _:
            return None


def _field(name: str, codec: Codec) -> _Field:
    data = name.encode()
    return _Field(name, snake(name), data, SIZED.pack(len(data), address_of(data)), codec)
