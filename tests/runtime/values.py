"""Types and values of them, generated."""

from typing import Any

from hypothesis import strategies as st

from airssys_wasm.core.calls import Err, Ok, Some
from airssys_wasm.runtime.abi.types import (
    BYTES,
    EnumType,
    FlagsType,
    ListType,
    OptionType,
    RecordType,
    ResultType,
    Scalar,
    TupleType,
    VariantType,
    WitType,
)

INTEGERS = {f"{sign}{bits}": (sign, bits) for sign in "su" for bits in (8, 16, 32, 64)}
SCALARS = ["bool", *INTEGERS, "f32", "f64", "char", "string"]
NAMES = ["a", "b-c", "long-name", "x1", "some", "ok"]


def types(max_leaves: int = 6) -> st.SearchStrategy[WitType]:
    """Any type that there is a codec for."""
    return st.recursive(st.sampled_from(SCALARS).map(Scalar) | st.just(BYTES), _compound, max_leaves=max_leaves)


def _compound(inner: st.SearchStrategy[WitType], most: int = 4) -> st.SearchStrategy[WitType]:
    maybe = st.none() | inner
    names = st.lists(st.sampled_from(NAMES), min_size=1, max_size=most, unique=True)
    return st.one_of(
        inner.map(ListType),
        inner.map(OptionType),
        st.builds(ResultType, maybe, maybe),
        st.lists(inner, min_size=1, max_size=most).map(lambda items: TupleType(tuple(items))),
        names.flatmap(lambda keys: _named(keys, inner)).map(RecordType),
        names.flatmap(lambda keys: _named(keys, maybe)).map(VariantType),
        names.map(lambda keys: EnumType(tuple(keys))),
        names.map(lambda keys: FlagsType(tuple(keys))),
    )


def _named(names: list[str], of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(*[st.tuples(st.just(name), of) for name in names])


def values_of(of: WitType | None) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one line a kind of type
    """Any value of a type; None for the place where a case has none."""
    match of:
        case None:
            return st.none()
        case Scalar(name):
            return _scalars(name)
        case ListType() if of == BYTES:
            return st.binary(max_size=40)
        case ListType(element):
            return st.lists(values_of(element), max_size=3)
        case OptionType(OptionType() as some):
            return st.none() | values_of(some).map(Some)
        case OptionType(some):
            return st.none() | values_of(some)
        case ResultType(ok, err):
            return values_of(ok).map(Ok) | values_of(err).map(Err)
        case _:
            return _values_of_named(of)


def _values_of_named(of: WitType) -> st.SearchStrategy[Any]:
    match of:
        case TupleType(items):
            return st.tuples(*map(values_of, items))
        case RecordType(fields):
            return st.tuples(*[values_of(field) for _, field in fields])
        case VariantType(cases):
            return st.one_of([st.tuples(st.just(name), values_of(payload)) for name, payload in cases])
        case EnumType(names):
            return st.sampled_from(names)
        case FlagsType(names):
            return st.frozensets(st.sampled_from(names))
        case _:
            raise TypeError(of)


def _scalars(name: str) -> st.SearchStrategy[Any]:
    if name in INTEGERS:
        sign, bits = INTEGERS[name]
        low = -(2 ** (bits - 1)) if sign == "s" else 0
        return st.integers(low, low + 2**bits - 1)
    text = st.characters(exclude_categories=["Cs"])
    return {
        "bool": st.booleans(),
        "f32": st.floats(width=32, allow_nan=False),
        "f64": st.floats(allow_nan=False),
        "char": text,
        "string": st.text(text, max_size=20),
    }[name]


def typed_values(max_leaves: int = 6) -> st.SearchStrategy[tuple[WitType, Any]]:
    """A type and a value of it."""
    return types(max_leaves).flatmap(lambda of: st.tuples(st.just(of), values_of(of)))


def deep_values(depth: int = 5) -> st.SearchStrategy[tuple[WitType, Any]]:
    """A type that is up to that many levels deep, and a value of it."""
    of: st.SearchStrategy[WitType] = st.sampled_from(SCALARS).map(Scalar) | st.just(BYTES)
    for _ in range(depth - 1):
        of = st.one_of(of, _compound(of, most=3))
    return of.flatmap(lambda of: st.tuples(st.just(of), values_of(of)))
