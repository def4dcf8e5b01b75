"""A handle to a resource that a guest defines, as host code holds it."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self, final

from airssys_wasm.core.calls import DROPPING, BadValue, CallRefused, FunctionNotFound
from airssys_wasm.core.errors import ActorStopped
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.names import method_name, pascal
from airssys_wasm.runtime.abi.types import ResourceName

if TYPE_CHECKING:
    from airssys_wasm.runtime.abi.handles import Handles

DROPPED: Final = "was dropped"
PASSED_ON: Final = "was passed on"
"""What handles say of themselves that have gone."""


@final
class GuestResource:
    """A handle to something that lives in a component, owned by the host until it is passed back as `own`.

    It belongs to one instance and ends with it. Methods of the resource are called on it, by their names in Python and
    with the settings (timeout, interrupt, raise_err) of the call that answered it. One that is called `drop`,
    `resource` or `usable` has an underscore behind it.

    `drop`, or `async with`, has the guest run the resource's destructor. A handle that is merely forgotten does not:
    what it leads to stays until its instance ends, and goes with it, without the destructor.
    """

    def __init__(self, name: ResourceName, handles: "Handles", image: "Box") -> None:
        self._name, self._handles, self._image = name, handles, image
        self._call = handles.call
        self._gone = ""
        self._lent = 0

    @property
    def resource(self) -> str:
        """The WIT name of what it is a handle to, as in `my:app/counters@1.0.0#counter`."""
        return str(self._name)

    @property
    def usable(self) -> bool:
        """Whether it can still be passed: its instance lives, and it was neither passed as own nor dropped."""
        return not (self._gone or self._handles.closed)

    async def drop(self) -> None:
        """Give the resource up, and have the guest run its destructor: once, through the mailbox, as a call of its own.

        Nothing happens to one that was dropped or passed on before, or whose instance has ended or was replaced: what
        is left of that ends with the instance.

        Raises:
            ComponentCrashed: The destructor trapped, or broke a limit; the instance has ended, and all handles with it.
            RequestTimeout: It was not done in time; it will be, in its turn.
            CallRefused: The component has a shape in which its resources cannot be dropped; they end with its instance.
            AskDeadlock: As for any call; it is still there.

        Cancellation: it is dropped all the same, in its turn; also if there was no room for it in the mailbox yet.
        """
        if self.usable:
            call = self._droppable()
            try:
                await call(self._name.interface, f"{DROPPING}{self._name.name}", self)
            except (BadValue, FunctionNotFound, ActorStopped):  # it had gone by then, as far as anybody can use it
                self._gone = self._gone or DROPPED

    async def __aenter__(self) -> Self:
        """The handle itself, which is dropped at the end of the block; raises BadValue when it cannot be used."""
        if not self.usable:
            raise BadValue(f"{self._name} {self._gone or 'belongs to an instance that has ended'}")
        self._droppable()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.drop()

    def _droppable(self) -> Callable[..., Any]:
        """What it is dropped by."""
        if self._call is None or self._name not in self._handles.droppable:
            raise CallRefused(f"{self!r} cannot be dropped in a component of this shape; it ends with its instance")
        return self._call

    def __getattr__(self, attribute: str) -> Callable[..., Any]:
        if attribute.startswith("_"):
            raise AttributeError(attribute)
        if self._call is None:
            raise AttributeError(f"a handle to {self._name.name} has no {attribute} here")
        method = f"{pascal(self._name.name)}.{method_name(attribute)}"
        return partial(self._call, self._name.interface, method, self)

    def __copy__(self) -> Self:
        """The handle itself: of two, each would be dropped."""
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self!r} is of use in this process only")

    def __repr__(self) -> str:
        state = "" if self.usable else ", " + (self._gone or "its instance has ended")
        return f"GuestResource({self._name}{state})"


@final
class Box:
    """Owns a `wasmtime_component_resource_any_t`: the index of a handle in its Store, without the handle itself."""

    def __init__(self, address: int, rep: int = 0) -> None:
        self.address = address
        self.rep = rep
        """The number of the host's object; 0 for a resource of the guest."""

    def __del__(self) -> None:
        capi.resource_any_delete(self.address)
