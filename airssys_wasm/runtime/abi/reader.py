"""Reads the types of a compiled component into `WitType`, so that they can be compared, shown and given codecs."""

from typing import Any, Final

import attrs
from wasmtime import Engine
from wasmtime import component as wt
from wasmtime.component import _types

from airssys_wasm.runtime.abi.types import (
    EnumType,
    FuncType,
    ListType,
    OptionType,
    OtherType,
    RecordType,
    ResultType,
    Scalar,
    TupleType,
    VariantType,
    WitType,
)

_SCALARS: Final = {
    _types.Bool: "bool",
    _types.S8: "s8",
    _types.S16: "s16",
    _types.S32: "s32",
    _types.S64: "s64",
    _types.U8: "u8",
    _types.U16: "u16",
    _types.U32: "u32",
    _types.U64: "u64",
    _types.F32: "f32",
    _types.F64: "f64",
    _types.Char: "char",
    _types.String: "string",
}


@attrs.frozen
class Interface:
    """The functions of one imported or exported instance, by name; a bare function stands under the empty name."""

    name: str
    functions: dict[str, FuncType] = attrs.field(factory=dict)


def imports_of(component: wt.Component, engine: Engine) -> dict[str, Interface]:
    """What the component imports, by the interface's full name."""
    return {name: _interface(name, item, engine) for name, item in component.type.imports(engine).items()}


def exports_of(component: wt.Component, engine: Engine) -> dict[str, Interface]:
    """What the component exports, by the interface's full name."""
    return {name: _interface(name, item, engine) for name, item in component.type.exports(engine).items()}


def _interface(name: str, item: Any, engine: Engine) -> Interface:
    item = _item(item)
    if isinstance(item, _types.FuncType):
        return Interface(name, {"": read_func(item)})
    if not isinstance(item, _types.ComponentInstanceType):
        return Interface(name)
    exports = {key: _item(value) for key, value in item.exports(engine).items()}
    return Interface(name, {key: read_func(f) for key, f in exports.items() if isinstance(f, _types.FuncType)})


def _item(extern: Any) -> Any:
    """The item itself: wasmtime-py wraps it in an extern from version 50 on."""
    return getattr(extern, "ty", extern)


def read_func(func: _types.FuncType) -> FuncType:
    """The WIT type of a function."""
    params = tuple((name, read_type(of)) for name, of in func.params)
    return FuncType(params, _maybe(func.result))


def _maybe(of: Any) -> WitType | None:
    return None if of is None else read_type(of)


def read_type(of: Any) -> WitType:  # noqa: PLR0911 - one line a kind of type
    """The WIT type of a value; what no codec is made for becomes an `OtherType` that says its kind."""
    if type(of) in _SCALARS:
        return Scalar(_SCALARS[type(of)])
    match of:
        case _types.ListType():
            return ListType(read_type(of.element))
        case _types.OptionType():
            return OptionType(read_type(of.payload))
        case _types.ResultType():
            return ResultType(_maybe(of.ok), _maybe(of.err))
        case _types.TupleType():
            return TupleType(tuple(map(read_type, of.elements)))
        case _types.RecordType():
            return RecordType(tuple((name, read_type(field)) for name, field in of.fields))
        case _types.VariantType():
            return VariantType(tuple((name, _maybe(payload)) for name, payload in of.cases))
        case _types.EnumType():
            return EnumType(tuple(of.names))
        case _:
            return OtherType(type(of).__name__.removesuffix("Type").lower())
