"""A component's imports and exports as WIT text (pure)."""

from collections.abc import Iterator
from typing import Final, final

import attrs

from airssys_wasm.runtime.abi.reader import Interface, World
from airssys_wasm.runtime.abi.types import (
    BorrowType,
    EnumType,
    FlagsType,
    FuncType,
    ListType,
    OptionType,
    OwnType,
    RecordType,
    ResourceName,
    ResultType,
    TupleType,
    VariantType,
    WitType,
)

KEYWORDS: Final = frozenset(
    [
        "as",
        "async",
        "bool",
        "borrow",
        "char",
        "constructor",
        "enum",
        "export",
        "f32",
        "f64",
        "flags",
        "from",
        "func",
        "future",
        "import",
        "include",
        "interface",
        "list",
        "map",
        "option",
        "own",
        "package",
        "record",
        "resource",
        "result",
        "s16",
        "s32",
        "s64",
        "s8",
        "static",
        "stream",
        "string",
        "tuple",
        "type",
        "u16",
        "u32",
        "u64",
        "u8",
        "use",
        "variant",
        "with",
        "world",
    ]
)
"""Words that are written with a % in front where they are names."""

NAMED: Final = (RecordType, VariantType, EnumType, FlagsType)
"""The types that are nothing without a name; others are written out, whatever else they may be called."""


def wit_text(world: World) -> str:
    """The world of a component, and the interfaces that it names, but for WASI's."""
    lines = ["world root {"]
    for way, interfaces in (("import", world.imports), ("export", world.exports)):
        for name, interface in interfaces.items():
            if name:
                lines += _indented(_listed(world, way, name, interface))
    for bare in (world.imports.get(""), world.exports.get("")):
        if bare is not None:
            lines += _indented(_Scope(world, bare).definitions())
    lines.append("}")
    for package, interfaces_of in _packages(world).items():
        lines += ["", f"package {package} {{"]
        for interface in interfaces_of:
            lines += _indented(_body(world, interface, f"interface {_id(_local(interface.name))} {{"))
        lines.append("}")
    return "\n".join(lines) + "\n"


def _listed(world: World, way: str, name: str, interface: Interface) -> list[str]:
    if "" in interface.functions:
        return [f"{way} {_id(name)}: {_Scope(world, Interface('')).function(interface.functions[''])};"]
    if "/" in name:
        return [f"{way} {name};"]
    return _body(world, interface, f"{way} {_id(name)}: interface {{")


def _packages(world: World) -> dict[str, list[Interface]]:
    found: dict[str, list[Interface]] = {}
    for name, interface in {**world.imports, **world.exports}.items():
        package, slash, rest = name.partition("/")
        if slash and package.partition(":")[0] != "wasi":
            version = rest.partition("@")[2]
            found.setdefault(f"{package}@{version}" if version else package, []).append(interface)
    return found


def _body(world: World, interface: Interface, head: str) -> list[str]:
    scope = _Scope(world, interface)
    body = [*scope.definitions(), *scope.functions()]
    return [head, *_indented([*scope.uses(), *body]), "}"]


def _local(name: str) -> str:
    return name.rpartition("/")[2].partition("@")[0]


def _id(name: str) -> str:
    return f"%{name}" if name in KEYWORDS else name


def _indented(lines: list[str]) -> list[str]:
    return ["  " + line for line in lines]


@final
@attrs.define(eq=False)
class _Scope:
    """The names inside one interface, and what it uses of others."""

    world: World
    interface: Interface
    _uses: dict[str, set[str]] = attrs.field(factory=dict, init=False)
    _names: dict[WitType, str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        named = (item for item in reversed(self.interface.types.items()) if isinstance(item[1], NAMED))
        self._names = {of: name for name, of in named}

    def definitions(self) -> list[str]:
        """Types and resources that are defined here; the others are used."""
        lines: list[str] = []
        for name, resource in self.interface.resources.items():
            if resource.interface == self.interface.name:
                lines += self._resource(name)
            else:
                self._uses.setdefault(resource.interface, set()).add(name)
        for name, of in self.interface.types.items():
            owner = self._owner(name, of)
            if owner == self.interface.name:
                lines.append(self._definition(name, of))
            else:
                self._uses.setdefault(owner, set()).add(name)
        return lines

    def functions(self) -> list[str]:
        """Those of no resource."""
        return [f"{_id(name)}: {self.function(kind)};" for name, kind in self._plain()]

    def uses(self) -> list[str]:
        """What is used of other interfaces; to be asked last."""
        package = self.interface.name.partition("/")[0]
        lines = []
        for owner, names in self._uses.items():
            path = _local(owner) if owner.partition("/")[0] == package else owner
            lines.append(f"use {path}.{{{', '.join(map(_id, sorted(names)))}}};")
        return lines

    def function(self, kind: FuncType, skip: int = 0) -> str:
        """The type of a function, without its first parameters."""
        params = ", ".join(f"{_id(name)}: {self._ref(of)}" for name, of in kind.params[skip:])
        return f"func({params})" + (f" -> {self._ref(kind.result)}" if kind.result is not None else "")

    def _plain(self) -> Iterator[tuple[str, FuncType]]:
        return ((name, kind) for name, kind in self.interface.functions.items() if name and name[0] != "[")

    def _resource(self, resource: str) -> list[str]:
        lines = []
        for name, kind in self.interface.functions.items():
            way, _, rest = name.partition("]")
            owner, _, member = rest.partition(".")
            if owner != resource:
                continue
            if way == "[constructor":
                lines.append(f"{self.function(kind).partition(' -> ')[0].replace('func', 'constructor', 1)};")
            else:
                static = "static " * (way == "[static")
                lines.append(f"{_id(member)}: {static}{self.function(kind, way == '[method')};")
        head = f"resource {_id(resource)}"
        return [f"{head};"] if not lines else [f"{head} {{", *_indented(lines), "}"]

    def _owner(self, name: str, of: WitType) -> str:
        """The first interface that has this type under this name."""
        for interface in (*self.world.imports.values(), *self.world.exports.values()):
            if interface.types.get(name) == of:
                return interface.name
        return self.interface.name

    def _definition(self, name: str, of: WitType) -> str:
        match of:
            case RecordType(fields):
                return f"record {_id(name)} {{ {', '.join(f'{_id(f)}: {self._ref(t)}' for f, t in fields)} }}"
            case VariantType(cases):
                shown = (_id(case) + (f"({self._ref(part)})" if part else "") for case, part in cases)
                return f"variant {_id(name)} {{ {', '.join(shown)} }}"
            case EnumType(names) | FlagsType(names):
                kind = "enum" if isinstance(of, EnumType) else "flags"
                return f"{kind} {_id(name)} {{ {', '.join(map(_id, names))} }}"
            case _:
                return f"type {_id(name)} = {self._structure(of)};"

    def _ref(self, of: WitType) -> str:
        if of in self._names:
            return _id(self._names[of])
        match of:
            case _ if isinstance(of, NAMED):
                return self._elsewhere(of)
            case OwnType(resource):
                return self._handle(resource)
            case BorrowType(resource):
                return f"borrow<{self._handle(resource)}>"
            case _:
                return self._structure(of)

    def _structure(self, of: WitType) -> str:
        match of:
            case ListType(part):
                return f"list<{self._ref(part)}>"
            case OptionType(part):
                return f"option<{self._ref(part)}>"
            case TupleType(items):
                return f"tuple<{', '.join(map(self._ref, items))}>"
            case ResultType(ok, err):
                good, bad = (part and self._ref(part) for part in (ok, err))
                return f"result<{good or '_'}, {bad}>" if bad else f"result<{good}>" if good else "result"
            case _:
                return str(of)

    def _handle(self, resource: ResourceName) -> str:
        if resource.interface not in {"", self.interface.name}:
            self._uses.setdefault(resource.interface, set()).add(resource.name)
        return _id(resource.name)

    def _elsewhere(self, of: WitType) -> str:
        for interface in (*self.world.imports.values(), *self.world.exports.values()):
            for name, found in interface.types.items():
                if found == of:
                    self._uses.setdefault(interface.name, set()).add(name)
                    return _id(name)
        return str(of)
