"""Interfaces of a component as Python objects: `await plugin["my:app/api"].greet("Ada")`."""

import asyncio
from typing import TYPE_CHECKING, Any, final

import attrs

from airssys_wasm.core.calls import CallError, Err, Invocation, Ok

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from airssys_wasm.actor.child import Child
    from airssys_wasm.actor.handle import HandleOutbox


@final
@attrs.define(eq=False)
class Caller:
    """Calls one component's functions, all with the same settings.

    What it is called with are a function's own arguments and nothing else, so that no name of one, whoever chose it,
    changes a setting.
    """

    child: "Child"
    outbox: "HandleOutbox"
    timeout: float | None
    interrupt: bool
    raise_err: bool

    async def __call__(self, interface: str, function: str, /, *arguments: Any, **keywords: Any) -> Any:
        """Call a function and wait for the answer; see `ActorHandle.call`."""
        invocation = Invocation(interface, function, arguments, keywords, self)
        while not invocation.weigh():  # noqa: ASYNC110 - nobody else does it
            await asyncio.sleep(0)
        answer = await self.outbox.call(self.child, invocation, self.timeout, interrupt=self.interrupt)
        return unwrap(answer) if self.raise_err else answer


@final
@attrs.frozen(repr=False)
class InterfaceProxy:
    """An exported interface: its functions are methods, its resources classes.

    Nothing is looked up before the call: a function that is not there is a `FunctionNotFound` then.
    """

    _interface: str
    _call: Caller = attrs.field(eq=False)

    def __getattr__(self, name: str) -> "FunctionProxy":
        if name.startswith("_"):
            raise AttributeError(name)
        return FunctionProxy(self._interface, name, self._call)

    def __repr__(self) -> str:
        return f"InterfaceProxy({self._interface!r})"


@final
@attrs.frozen(repr=False)
class FunctionProxy:
    """A function, or a resource: called it is constructed, and its methods and static functions are attributes."""

    _interface: str
    _name: str
    _call: Caller = attrs.field(eq=False)

    def __call__(self, /, *arguments: Any, **keywords: Any) -> "Coroutine[Any, Any, Any]":
        """Call it with arguments by position and by their names in Python, and wait; see `ActorHandle.call`."""
        return self._call(self._interface, self._name, *arguments, **keywords)

    def __getattr__(self, name: str) -> "FunctionProxy":
        if name.startswith("_"):
            raise AttributeError(name)
        return FunctionProxy(self._interface, f"{self._name}.{name}", self._call)

    def __repr__(self) -> str:
        return f"FunctionProxy({self._interface!r}, {self._name!r})"


def unwrap(answer: Any) -> Any:
    """The good half of a function's result, and what is no result as it is; raises CallError for the bad half."""
    if isinstance(answer, Ok):
        return answer.value
    if isinstance(answer, Err):
        raise CallError(answer.value)
    return answer
