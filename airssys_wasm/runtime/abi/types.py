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
    """None or a value; the value of an option of an option is wrapped in `Some`."""

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
class FlagsType:
    """Any number of some names."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"flags {{{', '.join(self.names)}}}"


@attrs.frozen
class ResourceName:
    """A resource by the interface that defines it, empty for the component itself, and its name there."""

    interface: str
    name: str
    imported: bool = False
    """Whether the host provides it; the component does otherwise."""

    def __str__(self) -> str:
        return f"{self.interface}#{self.name}" if self.interface else self.name


@attrs.frozen
class OwnType:
    """A resource that changes hands."""

    resource: ResourceName

    def __str__(self) -> str:
        return f"own<{self.resource.name}>"


@attrs.frozen
class BorrowType:
    """A resource that is lent for one call."""

    resource: ResourceName

    def __str__(self) -> str:
        return f"borrow<{self.resource.name}>"


@attrs.frozen
class OtherType:
    """A type that no value can be made of here: future, stream, error-context, map; `name` says which."""

    name: str

    def __str__(self) -> str:
        return self.name


WitType = (
    Scalar
    | ListType
    | OptionType
    | ResultType
    | TupleType
    | RecordType
    | VariantType
    | EnumType
    | FlagsType
    | OwnType
    | BorrowType
    | OtherType
)


@attrs.frozen
class FuncType:
    """A function: its named parameters and its result, None when it has none."""

    params: tuple[tuple[str, WitType], ...] = ()
    result: WitType | None = None

    @property
    def takes_handles(self) -> bool:
        """Whether a resource is among its parameters."""
        return any(has_handles(of) for _, of in self.params)

    @property
    def answers_handles(self) -> bool:
        """Whether a resource is in its result."""
        return self.result is not None and has_handles(self.result)

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


def parts_of(of: WitType) -> tuple[WitType, ...]:  # noqa: PLR0911 - one line a kind of type
    """The types right inside a type."""
    match of:
        case ListType(element):
            return (element,)
        case OptionType(some):
            return (some,)
        case TupleType(items):
            return items
        case RecordType(fields):
            return tuple(field for _, field in fields)
        case VariantType(cases):
            return tuple(payload for _, payload in cases if payload is not None)
        case ResultType(ok, err):
            return tuple(half for half in (ok, err) if half is not None)
        case _:
            return ()


def has_handles(of: WitType) -> bool:
    """Whether a resource is among the types inside a type."""
    return isinstance(of, OwnType | BorrowType) or any(map(has_handles, parts_of(of)))
