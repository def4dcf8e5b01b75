"""Reads the types of a compiled component into `WitType`, so that they can be compared, shown and given codecs."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import attrs
from wasmtime import Engine
from wasmtime import component as wt
from wasmtime.component import _types

from airssys_wasm.core.errors import InvalidComponent
from airssys_wasm.runtime.abi.drops import DROP
from airssys_wasm.runtime.abi.types import (
    BorrowType,
    EnumType,
    FlagsType,
    FuncType,
    ListType,
    OptionType,
    OtherType,
    OwnType,
    RecordType,
    ResourceName,
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


MAX_TYPE_PARTS: Final = 20_000
"""Of all functions together, each time they name it: a few hundred bytes can make a type of a million parts, and each
takes some ten microseconds to read and to make a codec for. A Python guest with all of WASI has four thousand."""

T = TypeVar("T")


@attrs.frozen
class Interface:
    """One imported or exported instance: its functions, types and resources by name.

    A bare function stands under the empty name in an interface of its own name.
    """

    name: str
    functions: dict[str, FuncType] = attrs.field(factory=dict)
    types: dict[str, WitType] = attrs.field(factory=dict)
    resources: dict[str, ResourceName] = attrs.field(factory=dict)


@attrs.frozen(slots=False)
class World:
    """All that a component imports and exports, by the interfaces' full names."""

    imports: dict[str, Interface]
    exports: dict[str, Interface]
    drops: dict[ResourceName, str] = attrs.field(factory=dict)
    """What drops each resource, of a component that was extended for it (`drops.py`): names of exports apart."""

    @functools.cached_property
    def exports_resources(self) -> bool:
        """Whether its functions may take and answer handles."""
        return any(interface.resources for interface in self.exports.values())

    @property
    def type_names(self) -> dict[WitType, str]:
        """What its types are called: of two with the same content, the first one's name.

        Of two with the same name, the second one has its interface's before it.
        """
        names: dict[WitType, str] = {}
        taken = set[str]()
        for interface in (*self.exports.values(), *self.imports.values()):
            local = interface.name.rpartition("/")[2].partition("@")[0]
            for name, of in interface.types.items():
                if of not in names:
                    unique = name if name not in taken else f"{local}-{name}"
                    names[of] = unique
                    taken.add(unique)
        return names


def world_of(component: wt.Component, engine: Engine, wanted: Callable[[str], bool] = lambda _: True) -> World:
    """Read a component's types, of the imports that are wanted: all of WASI's take tens of milliseconds."""
    kind, reader = component.type, _Reader(engine)
    imports = {name: item for name, item in kind.imports(engine).items() if wanted(name)}
    exports = kind.exports(engine)
    drops = {name: item for name, item in exports.items() if name.startswith(DROP) and _drops(_item(item))}
    others = {name: item for name, item in exports.items() if name not in drops}
    found, exported = reader.interfaces(imports, imported=True), reader.interfaces(others, imported=False)
    return World(found, exported, {reader.dropped(_item(item)): name for name, item in drops.items()})


def import_names(component: wt.Component, engine: Engine) -> list[str]:
    """The names of what the component imports."""
    return list(component.type.imports(engine))


def export_names(component: wt.Component, engine: Engine) -> list[str]:
    """The names of what the component exports."""
    return list(component.type.exports(engine))


def imports_of(component: wt.Component, engine: Engine) -> dict[str, Interface]:
    """What the component imports, by the interface's full name."""
    return world_of(component, engine).imports


def exports_of(component: wt.Component, engine: Engine) -> dict[str, Interface]:
    """What the component exports, by the interface's full name."""
    return world_of(component, engine).exports


class _Reader:
    """Reads types, and tells resources apart: two are the same one where wasmtime says so."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._parts = 0
        self._resources: list[tuple[wt.ResourceType, ResourceName]] = []

    def interfaces(self, every: dict[str, Any], *, imported: bool) -> dict[str, Interface]:
        """All of one direction; what is no instance stands for itself, a type under the empty name."""
        found = {name: _item(item) for name, item in every.items()}
        inside = {
            name: {key: _item(value) for key, value in item.exports(self._engine).items()}
            for name, item in found.items()
            if isinstance(item, _types.ComponentInstanceType)
        }
        for name, items in inside.items():  # before bare functions that take them: they are named by their interface
            self._resources_of(name, items, imported=imported)
        bare = {name: item for name, item in found.items() if name not in inside}
        world = self._interface("", bare, imported=imported)
        interfaces = {}
        for name in found:
            if name in inside:
                interfaces[name] = self._interface(name, inside[name], imported=imported)
            else:
                functions = {"": world.functions[name]} if name in world.functions else {}
                interfaces[name] = Interface(name, functions)
        if world.types or world.resources:
            interfaces[""] = Interface("", {}, world.types, world.resources)
        return interfaces

    def dropped(self, function: _types.FuncType) -> ResourceName:
        """What a function drops; to be asked when the interfaces are known, by which resources are named."""
        handle: Any = function.params[0][1]
        return self._known(handle.ty)

    def _interface(self, name: str, items: dict[str, Any], *, imported: bool) -> Interface:
        resources = self._resources_of(name, items, imported=imported)
        functions = {key: self._func(item) for key, item in items.items() if isinstance(item, _types.FuncType)}
        types = {key: self._type(item) for key, item in items.items() if isinstance(item, _types.ValType)}
        return Interface(name, functions, types, resources)

    def _resources_of(self, name: str, items: dict[str, Any], *, imported: bool) -> dict[str, ResourceName]:
        return {
            key: self._known(item, ResourceName(name, key, imported))
            for key, item in items.items()
            if isinstance(item, wt.ResourceType)
        }

    def _known(self, of: wt.ResourceType, name: ResourceName | None = None) -> ResourceName:
        """The name that the resource had first; this one when it is new, a number when it has none."""
        for kind, known in self._resources:
            if kind == of:
                return known
        name = name or ResourceName("", f"resource-{len(self._resources)}")
        self._resources.append((of, name))
        return name

    def _counted(self, names: Sequence[T]) -> Sequence[T]:
        self._count(len(names))
        return names

    def _count(self, parts: int = 1) -> None:
        self._parts += parts
        if self._parts > MAX_TYPE_PARTS:
            raise InvalidComponent("its types", f"have more than {MAX_TYPE_PARTS} parts")

    def _func(self, func: _types.FuncType) -> FuncType:
        return FuncType(tuple((name, self._type(of)) for name, of in func.params), self._maybe(func.result))

    def _maybe(self, of: Any) -> WitType | None:
        return None if of is None else self._type(of)

    def _type(self, of: Any) -> WitType:  # noqa: C901, PLR0911 - one line a kind of type
        """The WIT type of a value; what no codec is made for becomes an `OtherType` that says its kind."""
        self._count()
        if type(of) in _SCALARS:
            return Scalar(_SCALARS[type(of)])
        match of:
            case _types.ListType():
                return ListType(self._type(of.element))
            case _types.OptionType():
                return OptionType(self._type(of.payload))
            case _types.ResultType():
                return ResultType(self._maybe(of.ok), self._maybe(of.err))
            case _types.TupleType():
                return TupleType(tuple(map(self._type, of.elements)))
            case _types.RecordType():
                return RecordType(tuple((name, self._type(field)) for name, field in of.fields))
            case _types.VariantType():
                return VariantType(tuple((name, self._maybe(payload)) for name, payload in self._counted(of.cases)))
            case _types.EnumType():
                return EnumType(tuple(self._counted(of.names)))
            case _types.FlagsType():
                return FlagsType(tuple(self._counted(of.names)))
            case _types.OwnType() | _types.BorrowType():
                return (OwnType if isinstance(of, _types.OwnType) else BorrowType)(self._known(of.ty))
            case _:
                return OtherType(type(of).__name__.removesuffix("Type").lower())


def _drops(item: Any) -> bool:
    """Whether it is a function that takes a resource and does nothing else."""
    if not isinstance(item, _types.FuncType) or item.result is not None:
        return False
    return [_types.OwnType] == [type(of) for _, of in item.params]


def _item(extern: Any) -> Any:
    """The item itself: wasmtime-py wraps it in an extern from version 50 on."""
    return getattr(extern, "ty", extern)
