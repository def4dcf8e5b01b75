"""A component's types as a Python module: classes for its values, proxies for its exports, Protocols for its imports.

The proxies are for callers, the Protocols for the host: mypy then checks both sides (pure).
"""

from collections.abc import Iterable
from typing import Final, final

import attrs

from airssys_wasm.runtime.abi.names import handle_name, pascal, snake, upper
from airssys_wasm.runtime.abi.reader import Interface, World
from airssys_wasm.runtime.abi.types import (
    BYTES,
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
    Scalar,
    TupleType,
    VariantType,
    WitType,
)
from airssys_wasm.runtime.contract import PACKAGE
from airssys_wasm.runtime.functions import python_name

_SCALARS: Final = {"bool": "bool", "f32": "float", "f64": "float", "char": "str", "string": "str"}

_HEAD: Final = '''"""The types of {source}, written by `airssys-wasm types`; write it anew rather than change it."""

import dataclasses
import enum
import sys
import typing
from collections.abc import Awaitable

from airssys_wasm import ActorHandle, ActorSystem, ComponentId, Err, Ok, Some
'''

_LOAD: Final = '''
async def load(
    system: ActorSystem, id: ComponentId, source: typing.Any{params}, **options: typing.Any
) -> ActorHandle:
    """Load the component with what it imports; `options` are those of `ActorSystem.load`."""
    imports: dict[str, object] = {{{imports}}}
    return await system.load(id, source, imports=imports, types=sys.modules[__name__], **options)
'''


def python_types(world: World, source: str) -> str:
    """The text of the module."""
    module = _Module(world)
    blocks = [_HEAD.format(source=source), *module.values()]
    hosts: list[tuple[str, str]] = []
    for name, interface in world.imports.items():
        if interface.functions and not name.startswith(("wasi:", f"{PACKAGE}/")):
            blocks += module.host(interface)
            hosts.append((name, module.class_of(name, "Host")))
    for name, interface in world.exports.items():  # a bare function, whose name is empty, comes last
        if any(interface.functions) and not name.startswith(f"{PACKAGE}/"):
            blocks += module.proxy(interface)
    bare = {name: i.functions[""] for name, i in world.exports.items() if "" in i.functions}
    if bare:
        blocks += module.proxy(Interface("", bare))
    params = ", *" * bool(hosts) + "".join(f", {snake(cls)}: {cls}" for _, cls in hosts)
    blocks.append(_LOAD.format(params=params, imports=", ".join(f'"{name}": {snake(cls)}' for name, cls in hosts)))
    return "\n\n".join(block.strip("\n") + "\n" for block in blocks)


def _class(name: str, base: str, lines: Iterable[str], docstring: str = "", decorator: str = "") -> str:
    body = [f'"""{docstring}"""'] * bool(docstring) + list(lines)
    head = f"{decorator}\n" * bool(decorator) + f"class {name}" + f"({base})" * bool(base) + ":\n"
    return head + "\n".join("    " + line if line else "" for line in body or ["pass"])


_DATACLASS: Final = "@dataclasses.dataclass(frozen=True, slots=True)"


_OF_HANDLES: Final = (
    "async def drop(self) -> None: ...",
    "async def __aenter__(self) -> typing.Self: ...",
    "async def __aexit__(self, *error: object) -> None: ...",
)


@final
@attrs.define(eq=False)
class _Module:
    """Names everything once, and writes it."""

    world: World
    _names: dict[WitType, str] = attrs.field(init=False)
    _taken: set[str] = attrs.field(init=False)
    _classes: dict[tuple[str, str], str] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        named = (RecordType, VariantType, EnumType, FlagsType)
        self._names = {of: pascal(name) for of, name in self.world.type_names.items() if isinstance(of, named)}
        self._taken = set(self._names.values()) | {"ActorHandle", "ActorSystem", "ComponentId", "Err", "Ok", "Some"}

    def class_of(self, interface: str, kind: str) -> str:
        """The class for an interface (kind Api or Host), or a resource of it (its name)."""
        key = (interface, kind)
        if key not in self._classes:
            local = pascal(interface.rpartition("/")[2].partition("@")[0]) or "Component"
            name = local if kind in {"Api", "Host"} else pascal(kind)
            if kind != "Host" and interface in self.world.imports:  # apart from the property of its interface
                name = local + name
            if name in self._taken:
                name += kind if kind in {"Api", "Host"} else "Resource"
            while name in self._taken:
                name += "_"
            self._taken.add(name)
            self._classes[key] = name
        return self._classes[key]

    def values(self) -> list[str]:
        """The classes of records, variants, enums and flags."""
        return [block for of, name in self._names.items() for block in self._value(name, of)]

    def _value(self, name: str, of: WitType) -> list[str]:
        match of:
            case RecordType(fields):
                lines = [f'{snake(field)}: "{self._type(part)}"' for field, part in fields]
                return [_class(name, "", lines, decorator=_DATACLASS)]
            case VariantType(cases):
                classes = {case: f"{name}{pascal(case).rstrip('_')}" for case, _ in cases}
                made = [self._case(classes[case], case, part) for case, part in cases]
                return [*made, f"{name}: typing.TypeAlias = {' | '.join(classes.values())}"]
            case EnumType(names):
                return [_class(name, "enum.StrEnum", [f'{upper(member)} = "{member}"' for member in names])]
            case FlagsType(names):
                return [_class(name, "enum.Flag", [f"{upper(m)} = {1 << bit}" for bit, m in enumerate(names)])]
            case _:
                return []

    def _case(self, name: str, case: str, part: WitType | None) -> str:
        lines = [] if part is None else [f'value: "{self._type(part)}"']
        tag = f'tag: typing.ClassVar[typing.Literal["{case}"]] = "{case}"'
        return _class(name, "", [*lines, tag], decorator=_DATACLASS)

    def host(self, interface: Interface) -> list[str]:
        """Protocols for what the host gives: of each resource, its class, and the interface."""
        blocks, lines = [], []
        for name, resource in interface.resources.items():
            if resource.interface == interface.name:
                blocks += self._host_resource(interface, name)
                lines += ["@property", f'def {pascal(name)}(self) -> "{self.class_of(interface.name, name)}Class": ...']
        for name, kind in interface.functions.items():
            if not name.startswith("["):
                lines.append(self._method(snake(name) if name else "__call__", kind, host=True))
        cls = self.class_of(interface.name, "Host")
        return [*blocks, _class(cls, "typing.Protocol", lines, f"What the host gives as {interface.name}.")]

    def _host_resource(self, interface: Interface, resource: str) -> list[str]:
        name = self.class_of(interface.name, resource)
        methods, statics = [], []
        for full, kind in _members(interface, resource):
            member = python_name(full).partition(".")[2]
            if full.startswith("[method]"):
                methods.append(self._method(member, kind, host=True, skip=1))
            elif full.startswith("[static]"):
                statics.append(self._method(member, kind, host=True))
            else:
                statics.append(self._method("__call__", kind, host=True, plain=True))
        return [_class(name, "typing.Protocol", methods), _class(f"{name}Class", "typing.Protocol", statics)]

    def proxy(self, interface: Interface) -> list[str]:
        """Classes for an exported interface: handles of its resources, and the interface itself."""
        blocks = []
        lines = [
            "def __init__(self, component: ActorHandle, **settings: typing.Any) -> None:",
            f'    self._call = component.interface("{interface.name}", **settings)',
        ]
        for name, resource in interface.resources.items():
            if resource.interface == interface.name and not resource.imported:
                methods = [
                    self._method(handle_name(full.partition(".")[2]), kind, skip=1)
                    for full, kind in _members(interface, name)
                    if full.startswith("[method]")
                ]
                blocks.append(_class(self.class_of(interface.name, name), "typing.Protocol", [*methods, *_OF_HANDLES]))
        for full, kind in interface.functions.items():
            if not full.startswith("[method]"):
                path = python_name(full)
                lines += ["", *self._forward(snake(path.replace(".", "_")) if full[0] == "[" else path, path, kind)]
        name = self.class_of(interface.name, "Api")
        return [*blocks, _class(name, "", lines, f"{interface.name or 'Functions'} of a loaded component.")]

    def _forward(self, name: str, path: str, kind: FuncType) -> list[str]:
        head = self._method(name, kind).removesuffix(" ...")
        names = ", ".join(_param(param) for param, _ in kind.params)
        call = f"await self._call.{path}({names})"
        if self._result(kind) == "None":
            return [head, f"    {call}"]
        return [head, f'    return typing.cast("{self._result(kind)}", {call})']

    def _method(self, name: str, kind: FuncType, *, host: bool = False, plain: bool = False, skip: int = 0) -> str:
        params = [f'{_param(p)}: "{self._type(of, given=not host)}"' for p, of in kind.params[skip:]]
        result = self._result(kind)
        if plain:
            shown = result
        elif host:
            shown = f"{result} | Awaitable[{result}]"
        else:
            shown = result
        positional = ["/"] * (host and bool(params))
        way = "" if host else "async "
        return f'{way}def {name}({", ".join(["self", *params, *positional])}) -> "{shown}": ...'

    def _result(self, kind: FuncType) -> str:
        of = kind.result.ok if isinstance(kind.result, ResultType) else kind.result
        return "None" if of is None else self._type(of)

    def _type(self, of: WitType, *, given: bool = False) -> str:  # noqa: PLR0911 - one line a kind of type
        """The annotation of a value; one that is given may also be of what else is taken."""
        if of in self._names:
            return self._names[of]
        match of:
            case Scalar(name):
                return _SCALARS.get(name, "int")
            case ListType() if of == BYTES:
                return "bytes | bytearray | memoryview" if given else "bytes"
            case ListType(part):
                return f"list[{self._type(part)}]"
            case TupleType(items):
                return f"tuple[{', '.join(map(self._type, items))}]"
            case OptionType(OptionType()):
                return "Some | None"
            case OptionType(part):
                return f"{self._type(part, given=given)} | None"
            case ResultType():
                return "Ok | Err"
            case OwnType(resource) | BorrowType(resource):
                return self._handle(resource)
            case _:
                return "typing.Any"

    def _handle(self, resource: ResourceName) -> str:
        return self.class_of(resource.interface, resource.name) if resource.interface else "typing.Any"


def _param(name: str) -> str:
    return "self_" if name == "self" else snake(name)  # the method's own comes before it


def _members(interface: Interface, resource: str) -> list[tuple[str, FuncType]]:
    return [
        (name, kind)
        for name, kind in interface.functions.items()
        if name.rpartition("]")[0] and name.rpartition("]")[2].partition(".")[0] == resource
    ]
