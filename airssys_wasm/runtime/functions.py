"""The functions that a component exports, as they are called from Python: found by name, codecs made once."""

import contextlib
import functools
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final, final

import attrs

from airssys_wasm.core.calls import DROPPING, BadType, BadValue, FunctionNotFound, Invocation
from airssys_wasm.runtime.abi.codec import codec_for
from airssys_wasm.runtime.abi.drops import HANDLE
from airssys_wasm.runtime.abi.guest_resource import DROPPED
from airssys_wasm.runtime.abi.handles import Own
from airssys_wasm.runtime.abi.names import pascal, snake
from airssys_wasm.runtime.abi.reader import Interface, World
from airssys_wasm.runtime.abi.shapes import Shapes
from airssys_wasm.runtime.abi.types import FuncType, OwnType, ResourceName
from airssys_wasm.runtime.abi.values import Codec, Keep, Value

_MISSING: Final = object()


@final
class Function:
    """One exported function; its codecs are made when it is first called."""

    def __init__(self, interface: str, name: str, kind: FuncType, shapes: Shapes) -> None:
        self.interface, self.name, self.kind, self._shapes = interface, name, kind, shapes
        self.path = (interface, name) if name else (interface,)
        """Where it is among the component's exports."""

    @classmethod
    def dropping(cls, resource: ResourceName, export: str, shapes: Shapes) -> "Function":
        """The one that drops a resource, which is exported under a name of this runtime's own."""
        kind = FuncType(((HANDLE, OwnType(resource)),))
        function = cls(resource.interface, f"{DROPPING}{resource.name}", kind, shapes)
        function.path = (export,)
        function.params = ((HANDLE, Own(resource, DROPPED)),)
        return function

    def __str__(self) -> str:
        return "#".join(filter(None, (self.interface, self.name)))

    @functools.cached_property
    def params(self) -> tuple[tuple[str, Codec], ...]:
        """Each parameter's name in Python and its codec."""
        return tuple((snake(name), codec_for(of, shapes=self._shapes)) for name, of in self.kind.params)

    @functools.cached_property
    def result(self) -> Codec | None:
        """The codec of the result; None without one."""
        return None if self.kind.result is None else codec_for(self.kind.result, shapes=self._shapes)

    def make_codecs(self) -> None:
        """Make those that are made at the first call; raises TypeError where there is none for a type."""
        self.params, self.result  # noqa: B018 - both are cached

    @functools.cached_property
    def takes_handles(self) -> bool:
        """Whether a resource is among its parameters."""
        return self.kind.takes_handles

    @functools.cached_property
    def answers_handles(self) -> bool:
        """Whether a resource is in its result."""
        return self.kind.answers_handles

    def lower(self, invocation: Invocation, keep: Keep) -> bytes:
        """Make the images of the arguments.

        Raises:
            BadValue: One does not fit, there are too many, or too few; the text begins with its place.
        """
        arguments, params = invocation.arguments, self.params
        if invocation.keywords or len(arguments) != len(params):
            arguments = self._bound(arguments, invocation.keywords)
        images: list[bytes] = []
        try:
            for value in arguments:
                images.append(params[len(images)][1].lower(value, keep))
        except BadValue as exc:
            raise exc.inside("params." + params[len(images)][0]) from None
        return images[0] if len(images) == 1 else b"".join(images)

    def _bound(self, arguments: tuple[Value, ...], keywords: Mapping[str, Value]) -> tuple[Value, ...]:
        """Arguments by position and by name in the order of the parameters."""
        names = [name for name, _ in self.params]
        if len(arguments) > len(names):
            raise BadType(f"takes {len(names)} arguments ({', '.join(names)}), not {len(arguments)}", str(self))
        given: dict[str, Any] = dict(zip(names, arguments, strict=False))
        for name, value in keywords.items():
            if name not in names or name in given:
                raise BadType("is given twice" if name in given else "is no parameter", f"params.{name}")
            given[name] = value
        for name in names:
            if name not in given:
                raise BadType("is missing", f"params.{name}")
        return tuple(given[name] for name in names)


@final
@attrs.frozen(eq=False)
class Functions:
    """All exported functions of a component, by interface and name.

    | WIT | Python |
    |---|---|
    | `look-up` | `look_up` |
    | `[constructor]counter` | `Counter` |
    | `[method]counter.add`, `[static]counter.zero` | `Counter.add`, `Counter.zero` |

    What drops a resource is found too, as `[resource-drop]counter`, and not listed.

    An interface is found by its full name, or without its version when no other version of it is exported.
    """

    by_interface: Mapping[str, Mapping[str, Function]]
    _found: dict[tuple[str, str], Function] = attrs.field(factory=dict, init=False)

    @classmethod
    def of(cls, world: World, shapes: Shapes) -> "Functions":
        """The functions of a component's exports."""
        found: dict[str, dict[str, Function]] = {"": {}}
        for name, interface in world.exports.items():
            functions = found[""] if "" in interface.functions else found.setdefault(name, {})
            for function in _functions_of(name, interface, shapes):
                functions[function.name or name] = function
                functions.setdefault(python_name(function.name or name), function)
        for resource, export in world.drops.items():
            drop = Function.dropping(resource, export, shapes)
            found.setdefault(resource.interface, {})[drop.name] = drop
        return cls({name: functions for name, functions in found.items() if functions})

    def find(self, interface: str, name: str) -> Function:
        """The function of that name.

        Raises:
            FunctionNotFound: There is none; the error lists those that there are.
        """
        known = self._found.get((interface, name))
        return known or self._find(interface, name)

    def _find(self, interface: str, name: str) -> Function:
        functions = self.by_interface.get(interface) or self._unversioned(interface)
        if functions is None:
            raise FunctionNotFound(f"{interface}#{name}", sorted(filter(None, self.by_interface)))
        found = functions.get(name)
        if found is None:
            label = f"{interface}#{name}".lstrip("#")
            named = {python_name(known.path[-1]) for name, known in functions.items() if not name.startswith(DROPPING)}
            raise FunctionNotFound(label, sorted(named))
        self._found[interface, name] = found
        return found

    def _unversioned(self, interface: str) -> Mapping[str, Function] | None:
        if "@" in interface or not interface:
            return None
        versions = [name for name in self.by_interface if name.startswith(interface + "@")]
        return self.by_interface[versions[0]] if len(versions) == 1 else None


@final
class Signatures:
    """The functions and the codecs of one component: made once, for all its loads."""

    def __init__(self, world: World, classes: Mapping[str, type] | None = None) -> None:
        self.world = world
        self.shapes = Shapes(world.type_names, classes or {})
        self.functions = Functions.of(world, self.shapes)
        self._imports: dict[FuncType, tuple[tuple[Codec, ...], Codec | None]] = {}
        self._others: dict[int, tuple[ModuleType, Signatures]] = {}

    def codecs(self, kind: FuncType) -> tuple[tuple[Codec, ...], Codec | None]:
        """The codecs of an imported function's parameters, and of its result if it has one."""
        if kind not in self._imports:
            result = None if kind.result is None else codec_for(kind.result, shapes=self.shapes)
            self._imports[kind] = tuple(codec_for(of, shapes=self.shapes) for _, of in kind.params), result
        return self._imports[kind]

    def prepare(self) -> None:
        """Make all codecs now, in a thread, rather than at the first call: of large types they take long."""
        for functions in self.functions.by_interface.values():
            for function in functions.values():
                with contextlib.suppress(TypeError):  # of a type that has none; its callers hear of it
                    function.make_codecs()

    def with_classes(self, module: ModuleType | None) -> "Signatures":
        """The same with the classes of a module."""
        if module is None:
            return self
        if id(module) not in self._others:
            classes = {name: cls for name, cls in vars(module).items() if isinstance(cls, type) and name[0] != "_"}
            other = Signatures(self.world, classes)
            other.shapes.check()
            self._others[id(module)] = module, other
        return self._others[id(module)][1]


def _functions_of(name: str, interface: Interface, shapes: Shapes) -> list[Function]:
    return [Function(name, function, kind, shapes) for function, kind in interface.functions.items()]


def python_name(name: str) -> str:
    """The name in Python of a function by its name in WIT."""
    kind, bracket, rest = name.rpartition("]")
    if not bracket:
        return snake(name)
    resource, _, member = rest.partition(".")
    return pascal(resource) if kind == "[constructor" else f"{pascal(resource)}.{snake(member)}"
