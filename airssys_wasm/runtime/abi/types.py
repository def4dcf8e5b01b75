"""WIT types as plain values: what a codec is made from, and what a component's own types are compared with (pure)."""

from typing import Final

import attrs


@attrs.frozen
class Scalar:
    """bool, s8 to u64, f32, f64, char or string, by its WIT name."""

    name: str

    def __str__(self) -> str:
        return self.name


@attrs.frozen
class ListType:
    """A list; `list<u8>` is bytes in Python."""

    element: "WitType"

    def __str__(self) -> str:
        return f"list<{self.element}>"


@attrs.frozen
class OptionType:
    """None or a value. An option of an option has no plain Python form and is wrapped (see codec)."""

    some: "WitType"

    def __str__(self) -> str:
        return f"option<{self.some}>"


@attrs.frozen
class ResultType:
    """Ok or Err, each with or without a value."""

    ok: "WitType | None"
    err: "WitType | None"

    def __str__(self) -> str:
        return f"result<{self.ok or '_'}, {self.err or '_'}>"


@attrs.frozen
class TupleType:
    """A fixed number of values."""

    items: "tuple[WitType, ...]"

    def __str__(self) -> str:
        return f"tuple<{', '.join(map(str, self.items))}>"


@attrs.frozen
class RecordType:
    """Named fields in order; a tuple in that order in Python."""

    fields: "tuple[tuple[str, WitType], ...]"

    def __str__(self) -> str:
        return "record {" + ", ".join(f"{name}: {of}" for name, of in self.fields) + "}"


@attrs.frozen
class VariantType:
    """Named cases, each with or without a value; a pair (case, value or None) in Python."""

    cases: "tuple[tuple[str, WitType | None], ...]"

    def __str__(self) -> str:
        return "variant {" + ", ".join(name + (f"({of})" if of else "") for name, of in self.cases) + "}"


@attrs.frozen
class EnumType:
    """One of some names; that name as a str in Python."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"enum {{{', '.join(self.names)}}}"


@attrs.frozen
class OtherType:
    """A type that no codec is made for; `name` says which."""

    name: str

    def __str__(self) -> str:
        return self.name


WitType = Scalar | ListType | OptionType | ResultType | TupleType | RecordType | VariantType | EnumType | OtherType


@attrs.frozen
class FuncType:
    """A function: its named parameters and its result, None when it has none."""

    params: tuple[tuple[str, WitType], ...] = ()
    result: WitType | None = None

    def __str__(self) -> str:
        shown = ", ".join(f"{name}: {of}" for name, of in self.params)
        return f"func({shown})" + (f" -> {self.result}" if self.result else "")


BOOL: Final = Scalar("bool")
U8: Final = Scalar("u8")
U32: Final = Scalar("u32")
U64: Final = Scalar("u64")
STRING: Final = Scalar("string")
BYTES: Final = ListType(U8)


def record(**fields: WitType) -> RecordType:
    """Build a record, with `_` in the field names for the `-` of WIT."""
    return RecordType(tuple((name.replace("_", "-"), of) for name, of in fields.items()))


def variant(**cases: WitType | None) -> VariantType:
    """Build a variant, with `_` in the case names for the `-` of WIT."""
    return VariantType(tuple((name.replace("_", "-"), of) for name, of in cases.items()))
