"""Host objects for a component's imports: found, checked all at once, and made into host functions.

| the interface has | the object has |
|---|---|
| `look-up: func(key: string)` | `look_up(key)`, plain or async; plain ones that may block are marked `blocking` |
| `resource store` with `constructor(name: string)` | a class `Store`, made by `Store(name)` |
| a method `get: func(key: string)` of it | `Store.get(self, key)` |
| a static function `find` of it | `Store.find(...)`, a static or class method |

An object that the guest has dropped, or that its instance leaves behind, is left by `__exit__` where it has that.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, final

import attrs

from airssys_wasm.core.calls import Err, Given, ImportsUnfit, Ok, is_blocking
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime import host_tasks
from airssys_wasm.runtime.abi.handles import HostResource
from airssys_wasm.runtime.abi.names import pascal, snake
from airssys_wasm.runtime.abi.reader import Interface
from airssys_wasm.runtime.abi.types import FuncType, OtherType, ResourceName, ResultType, WitType, parts_of
from airssys_wasm.runtime.compiled import import_problems
from airssys_wasm.runtime.functions import Signatures
from airssys_wasm.runtime.hostcall import HostFunction
from airssys_wasm.runtime.raised import err_of

RunBlocking = Callable[[Callable[..., Any], tuple[Any, ...], str], Awaitable[Any]]
"""Runs a function that may block, with its arguments; the name is for the log."""


@final
@attrs.frozen(eq=False)
class Provided:
    """What the host gives one component, by the component's own import types."""

    interfaces: Mapping[str, Interface]
    """The imports that it covers, by their full names."""
    functions: tuple[HostFunction, ...]
    resources: Mapping[ResourceName, HostResource]


def provide(source: str, signatures: Signatures, given: Given, run_blocking: RunBlocking) -> Provided:
    """Find a host function or class for all that host code gives.

    Args:
        source: names the component in errors.
        signatures: what it imports, and the codecs for it.
        given: what host code gives; what the component does not import is left alone.
        run_blocking: what to do with functions that may block.

    Raises:
        ImportsUnfit: All that nobody provides, and all that does not fit.
    """
    world = signatures.world
    keys = {name: key for name in world.imports if (key := _key_for(name, given.imports)) is not None}
    covered = {name: world.imports[name] for name in keys}
    problems = [f"{name} {problem}" for name, problem in import_problems(world.imports) if not _is_of(name, covered)]
    functions: list[HostFunction] = []
    resources: dict[ResourceName, HostResource] = {}
    for name, interface in covered.items():
        target = given.imports[keys[name]]
        for local, resource in interface.resources.items():
            resources.setdefault(resource, HostResource(len(resources) + 1, _class(target, local)))
        for function, kind in interface.functions.items():
            found = _Import(name, function, kind, target, run_blocking)
            wrong = list(found.problems())
            problems += wrong
            if not wrong:
                functions.append(HostFunction(*found.place, found.run, *signatures.codecs(kind), kind.takes_handles))
    if problems:
        raise ImportsUnfit(source, problems)
    return Provided(covered, tuple(functions), resources)


def _is_of(function: str, covered: Mapping[str, Interface]) -> bool:
    return function.partition("#")[0] in covered


def _key_for(name: str, given: Mapping[str, object]) -> str | None:
    """The key of what is given for an import: its full name, its name without version, or a compatible version."""
    base, _, version = name.partition("@")
    if name in given or base in given:
        return name if name in given else base
    track = _track(version)
    return next((key for key in given if key.startswith(base + "@") and _track(key.partition("@")[2]) == track), None)


def _track(version: str) -> str:
    """What versions that may stand for each other have in common (semver: 1.x.y, or 0.2.x)."""
    major, _, rest = version.partition(".")
    return major if major != "0" else f"0.{rest.partition('.')[0]}"


def _class(target: object, resource: str) -> type | None:
    found = getattr(target, pascal(resource), None)
    return found if isinstance(found, type) else None


@final
class _Import:
    """One imported function and what stands for it in Python."""

    def __init__(self, interface: str, name: str, kind: FuncType, target: object, run_blocking: RunBlocking) -> None:
        self.place = (interface, name) if name else ("", interface)
        self._kind, self._run_blocking = kind, run_blocking
        self._label = f"{interface}#{name}" if name else interface
        self._step, self._of = "", type(target).__name__ if not inspect.ismodule(target) else target.__name__
        self._method = False
        self._function = self._found(name, target)

    def problems(self) -> Iterator[str]:
        """What is wrong with it, if anything."""
        for of in _types_of(self._kind):
            if isinstance(of, OtherType):
                yield f"{self._label}: no value can be made of {of}"
        if not callable(self._function):
            yield f"{self._label}: {self._of} has no {self._step}"
            return
        try:
            signature = inspect.signature(self._function)
        except (TypeError, ValueError):  # a builtin that does not say
            return
        names = [snake(name) for name, _ in self._kind.params]
        try:
            signature.bind(*names)
        except TypeError as exc:
            yield f"{self._label}: {self._of}.{self._step}{signature} is called with ({', '.join(names)}): {exc}"

    async def run(self, _state: HostState, *arguments: Any) -> Any:
        """Call it; what it raises is its err where its type has one."""
        result = self._kind.result
        try:
            value = await self._answer(arguments)
        except Exception as exc:
            if not isinstance(result, ResultType):
                raise
            return Err(err_of(exc, result.err))
        return Ok(value) if isinstance(result, ResultType) and not isinstance(value, Ok | Err) else value

    async def _answer(self, arguments: tuple[Any, ...]) -> Any:
        function: Any = getattr(arguments[0], self._step) if self._method else self._function
        rest = arguments[1:] if self._method else arguments
        if is_blocking(function):
            return await self._run_blocking(function, rest, self._label)
        return await host_tasks.run(function, rest, self._label)

    def _found(self, name: str, target: object) -> Any:
        kind, bracket, rest = name.rpartition("]")
        if not bracket:
            self._step = snake(name) if name else "__call__"
            return getattr(target, self._step, None) if name else target
        resource, _, member = rest.partition(".")
        cls = getattr(target, pascal(resource), None)
        if kind == "[constructor":
            self._step = pascal(resource)
            return cls if isinstance(cls, type) else None
        self._of, self._step = f"{self._of}.{pascal(resource)}", snake(member)
        self._method = kind == "[method"
        return getattr(cls, self._step, None)


def _types_of(kind: FuncType) -> Iterator[WitType]:
    waiting = [of for _, of in kind.params] + [of for of in (kind.result,) if of is not None]
    while waiting:
        of = waiting.pop()
        yield of
        waiting += parts_of(of)
