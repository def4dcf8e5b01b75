"""Finds the resources that a component defines and exports, in its binary (pure).

The binary does not say so in one place: a resource's type goes from where it is defined to where it is exported through
aliases, nested components, and what those are instantiated with. So all of that is followed, but nothing else. What
cannot be followed, such as a component that is imported, is unknown, and no resource is found in it.

Source: https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias, final

import attrs

from airssys_wasm.runtime.abi.binary import (
    ALIAS,
    COMPONENT,
    EXPORT,
    HEADER_BYTES,
    IMPORT,
    INSTANCE,
    TYPE,
    Reader,
    Unrecognised,
    sections_of,
)
from airssys_wasm.runtime.abi.value_types import pass_over_type

MAX_STEPS: Final = 200_000
"""Items that are read; of a nested component each time that it is instantiated, of a type each time it is compared."""

MAX_DEPTH: Final = 50
"""Components and types inside each other."""


@final
@attrs.frozen
class Exported:
    """A resource that is exported: the index of the exported instance and its name there, or the type's own index."""

    name: bytes
    instance: int | None
    type: int | None = None


@final
@attrs.frozen(eq=False)
class _Resource:
    """A resource; `own` where the component defines it."""

    own: bool


@final
@attrs.frozen(eq=False)
class _Nested:
    """A component inside another, which is read when it is instantiated."""

    scope: "_Scope"
    data: bytes
    at: int
    end: int


_Thing: TypeAlias = "_Resource | _Nested | dict[bytes, _Thing] | None"
"""A resource's type; a component; an instance, or its type, by what it exports; None for what does not matter."""


def resources_of(data: bytes) -> list[Exported]:
    """The resources that a component defines and exports, each once.

    Raises:
        Unrecognised: There is something in it that is not known here.
    """
    root = _Scope()
    root.read(Reader(data, HEADER_BYTES))
    found: dict[_Resource, Exported] = {}
    for name, sort, index in root.exported:
        thing = root.at(sort, index)
        if isinstance(thing, _Resource) and thing.own:
            found.setdefault(thing, Exported(name, None, index))
        elif isinstance(thing, dict):
            for member, inside in thing.items():
                if isinstance(inside, _Resource) and inside.own:
                    found.setdefault(inside, Exported(member, index))
    return list(found.values())


@final
@attrs.define
class _Steps:
    """How much has been read so far, in all scopes."""

    taken: int = 0

    def take(self, count: int) -> None:
        self.taken += count
        if self.taken > MAX_STEPS:
            raise Unrecognised(f"more than {MAX_STEPS} items")


@final
@attrs.define(eq=False)
class _Scope:
    """The index spaces of a component, or of the type of one or of an instance, as far as they matter."""

    outer: "_Scope | None" = None
    given: "Mapping[bytes, _Thing]" = attrs.field(factory=dict)
    """What it imports; for the component itself nothing is known but the types."""
    depth: int = 0
    steps: _Steps = attrs.field(factory=_Steps)
    exports: "dict[bytes, _Thing]" = attrs.field(factory=dict, init=False)
    exported: list[tuple[bytes, str, int]] = attrs.field(factory=list, init=False)
    """Name, sort and index of what the component exports."""
    _spaces: "dict[str, list[_Thing]]" = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._spaces = {"type": [], "instance": [], "component": []}
        if self.depth > MAX_DEPTH:
            raise Unrecognised(f"components or types in each other, more than {MAX_DEPTH}")

    def at(self, sort: str, index: int) -> _Thing:
        """What has that index; None where it does not matter."""
        space = self._spaces.get(sort)
        if space is None:
            return None
        if index >= len(space):
            raise Unrecognised(f"no {sort} {index}")
        return space[index]

    def define(self, sort: str, thing: _Thing) -> None:
        """Give something the next index."""
        if sort in self._spaces:
            self._spaces[sort].append(thing)

    def items(self, reader: Reader) -> Iterator[int]:
        """The items of a vector, by their number."""
        count = reader.count()
        self.steps.take(count)
        return iter(range(count))

    def read(self, binary: Reader) -> None:
        """Read a component."""
        for kind, section in sections_of(binary):
            self.steps.take(1)
            if kind == COMPONENT:
                self.define("component", _Nested(self, section.data, section.at + HEADER_BYTES, section.end))
            elif kind in _READERS:
                for _ in self.items(section):
                    _READERS[kind](self, section)

    def inside(self, outer: "_Scope", given: "Mapping[bytes, _Thing]") -> "_Scope":
        """A scope one level deeper, that can refer to another one."""
        return _Scope(outer, given, self.depth + 1, self.steps)

    def instance(self, reader: Reader) -> None:
        """Read the definition of an instance."""
        if reader.byte():
            self.define("instance", dict(self._named(reader, reader.extern_name) for _ in self.items(reader)))
            return
        component = self.at("component", reader.number())
        given = dict(self._named(reader, reader.name) for _ in self.items(reader))
        made: _Thing = None
        if isinstance(component, _Nested):
            scope = self.inside(component.scope, given)
            scope.read(Reader(component.data, component.at, component.end))
            made = scope.exports
        self.define("instance", made)

    def alias(self, reader: Reader) -> None:
        """Read an alias."""
        sort, way = reader.sort(), reader.byte()
        if way == 2:  # noqa: PLR2004 - of something outside; 0 and 1: of an instance, of a core instance
            self.define(sort, self._up(reader.number()).at(sort, reader.number()))
            return
        instance, name = reader.number(), reader.name()
        self.define(sort, _member(self.at("instance", instance), name) if way == 0 else None)

    def type(self, reader: Reader) -> None:
        """Read the definition of a type."""
        self.define("type", self._type(reader))

    def export(self, reader: Reader) -> None:
        """Read what the component exports."""
        name, sort, thing = self._item(reader, reader.extern_name)
        if reader.byte():
            thing = self._as(thing, self._described(*reader.extern_type()))
        self.exported.append((name, sort, len(self._spaces.get(sort, ()))))
        self.exports[name] = thing
        self.define(sort, thing)

    def declared(self, reader: Reader, *, imported: bool = True) -> None:
        """Read an import, or what a type says is exported."""
        name, (sort, index) = reader.extern_name(), reader.extern_type()
        thing = self._described(sort, index)
        if name in self.given:
            thing = self._as(self.given[name], thing)
        self.define(sort, thing)
        if not imported:
            self.exports[name] = thing

    def _as(self, thing: _Thing, described: _Thing, depth: int = 0) -> _Thing:
        """Something as it is seen from where its type says less of it: an instance has what its type names."""
        if not (isinstance(thing, dict) and isinstance(described, dict)):
            return thing
        if depth > MAX_DEPTH:
            raise Unrecognised(f"instances in each other, more than {MAX_DEPTH}")
        self.steps.take(len(described))  # each time: one that is named twice in each of fifty levels is a quadrillion
        return {name: self._as(thing.get(name), inside, depth + 1) for name, inside in described.items()}

    def _described(self, sort: str, index: int | None) -> _Thing:
        """What is known of something by its type."""
        if index is None:
            return _Resource(own=False)
        return self.at("type", index) if sort in {"type", "instance"} else None

    def _up(self, levels: int) -> "_Scope":
        scope = self
        for _ in range(levels):
            if scope.outer is None:
                raise Unrecognised("an alias of what is further out than all")
            scope = scope.outer
        return scope

    def _item(self, reader: Reader, name: Callable[[], bytes]) -> "tuple[bytes, str, _Thing]":
        found, sort = name(), reader.sort()
        return found, sort, self.at(sort, reader.number())

    def _named(self, reader: Reader, name: Callable[[], bytes]) -> "tuple[bytes, _Thing]":
        found, _, thing = self._item(reader, name)
        return found, thing

    def _type(self, reader: Reader) -> _Thing:
        code = reader.byte()
        if code == _RESOURCE:
            reader.byte()  # how it is represented
            if reader.byte():
                reader.number()  # its destructor
            return _Resource(own=True)
        if code in {_COMPONENT_TYPE, _INSTANCE_TYPE}:
            scope = self.inside(self, {})
            for _ in self.items(reader):
                scope.declaration(reader)
            return scope.exports if code == _INSTANCE_TYPE else None
        self.steps.take(pass_over_type(reader, code))
        return None

    def declaration(self, reader: Reader) -> None:
        """Read a part of the type of a component or of an instance."""
        match reader.byte():
            case 1:
                self.type(reader)
            case 2:
                self.alias(reader)
            case 3:
                self.declared(reader)
            case 4:
                self.declared(reader, imported=False)
            case code:
                raise Unrecognised(f"declaration {code:#x}")


def _member(instance: _Thing, name: bytes) -> _Thing:
    return instance.get(name) if isinstance(instance, dict) else None


_RESOURCE, _COMPONENT_TYPE, _INSTANCE_TYPE = 0x3F, 0x41, 0x42

_READERS: Final = {
    INSTANCE: _Scope.instance,
    ALIAS: _Scope.alias,
    TYPE: _Scope.type,
    IMPORT: _Scope.declared,
    EXPORT: _Scope.export,
}
