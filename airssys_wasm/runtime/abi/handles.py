"""Resources of one Store: handles to the guest's, and the host's own objects that the guest has handles to.

| who defines it | in Python it is | own, to the guest | own, from the guest | lent |
|---|---|---|---|---|
| the guest | a `GuestResource` | it is used up | a new one | it stays |
| the host | the object itself | kept here, until the guest gives it back or drops it | given back | for the call |

wasmtime checks neither that a handle belongs to the Store it is used with nor, before it traps, that it is still there:
both are checked here, so that a wrong handle is a `BadValue` and the instance lives on.
"""

import ctypes
import itertools
from collections.abc import Callable, Mapping
from ctypes import c_void_p
from typing import Any, Final, NoReturn, final

import attrs

from airssys_wasm.core.calls import BadType, BadValue, shown
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.types import ResourceName
from airssys_wasm.runtime.abi.values import SIZED, WORDS, Keep, Value

_RESOURCE: Final = 21


@final
class GuestResource:
    """A handle to something that lives in a component, owned by the host until it is passed back as `own`.

    It belongs to one instance and ends with it. Methods of the resource are called on it, by their names in Python.
    """

    def __init__(self, name: ResourceName, handles: "Handles", image: "_Box") -> None:
        self._name, self._handles, self._image = name, handles, image
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

    def __getattr__(self, attribute: str) -> Callable[..., Any]:
        if attribute.startswith("_"):
            raise AttributeError(attribute)
        if self._handles.call_method is None:
            raise AttributeError(f"a handle to {self._name.name} has no {attribute} here")
        return self._handles.call_method(self, self._name, attribute)

    def __repr__(self) -> str:
        state = "" if self.usable else ", " + (self._gone or "its instance has ended")
        return f"GuestResource({self._name}{state})"


@final
class _Box:
    """Owns a `wasmtime_component_resource_any_t`: the index of a handle in its Store, without the handle itself."""

    def __init__(self, address: int) -> None:
        self.address = address

    def __del__(self) -> None:
        capi.resource_any_delete(self.address)


@attrs.frozen(eq=False)
class HostResource:
    """A resource that the host provides: what wasmtime calls it, and the class of its objects, None for any."""

    number: int
    cls: type | None = None


@final
@attrs.define(eq=False)
class Handles:
    """The resources of one Store; used by whoever uses the Store, one thread at a time.

    Args:
        context: the Store's.
        provided: the resources of the host.
    """

    context: int
    provided: Mapping[ResourceName, HostResource] = attrs.field(factory=dict)
    call_method: "Callable[[GuestResource, ResourceName, str], Callable[..., Any]] | None" = None
    """Finds a method of a guest's resource by its name in Python; None where there is nobody to call it."""
    closed: bool = attrs.field(default=False, init=False)
    _objects: dict[int, Any] = attrs.field(factory=dict, init=False)
    _dropped: list[Any] = attrs.field(factory=list, init=False)
    _keys: "itertools.count[int]" = attrs.field(factory=lambda: itertools.count(1), init=False)

    def __len__(self) -> int:
        return len(self._objects)

    def give(self, name: ResourceName, value: Any) -> _Box:
        """Hand an object of the host's to the guest."""
        resource = self.provided[name]
        if resource.cls is not None and not isinstance(value, resource.cls):
            raise BadType(f"{shown(value)} is no {resource.cls.__name__}")
        rep = next(self._keys)
        self._objects[rep] = value
        host = capi.resource_host_new(True, rep, resource.number)
        found = c_void_p()
        try:
            error = capi.resource_host_to_any(self.context, host, ctypes.addressof(found))
        finally:
            capi.resource_host_delete(host)
        text = capi.take_error(error)
        if text is not None:
            del self._objects[rep]
            raise BadValue(text)
        return _Box(found.value or 0)

    def take(self, address: int, *, own: bool) -> Any:
        """The host's object behind a handle, which the guest gives back when it is own."""
        host = c_void_p()
        text = capi.take_error(capi.resource_any_to_host(self.context, address, ctypes.addressof(host)))
        if text is not None:
            raise BadValue(text)
        rep = capi.resource_host_rep(host.value)
        capi.resource_host_delete(host.value)
        return self._objects.pop(rep) if own else self._objects[rep]

    def drop(self, rep: int) -> None:
        """The guest has dropped its handle to an object; called on the guest's stack, `settle` does the rest."""
        if rep in self._objects:
            self._dropped.append(self._objects.pop(rep))

    def settle(self) -> list[Any]:
        """The objects that were dropped since the last time, in order; each once."""
        dropped, self._dropped = self._dropped, []
        return dropped

    def close(self) -> list[Any]:
        """The Store has ended: what the guest still had a handle to, and what was not settled."""
        self.closed = True
        left = [*self._dropped, *self._objects.values()]
        self._dropped, self._objects = [], {}
        return left


@final
@attrs.frozen(eq=False)
class Own:
    """A resource that changes hands."""

    name: ResourceName

    def lower(self, value: Value, keep: Keep) -> bytes:
        """Make the image; raises BadValue."""
        lowering = _lowering(keep)
        if self.name.imported:
            box = lowering.handles.give(self.name, value)
            lowering.given.append(box)
        else:
            box = _checked(value, self.name, lowering)
            if value._lent:
                raise BadValue(f"{value!r} is lent in the same call")
            value._gone = "was passed on"
            lowering.moved.append(value)
        keep.append(box)
        return WORDS.pack(_RESOURCE, box.address, 0, 0)

    def lift(self, image: bytes, handles: "Handles | None" = None) -> Value:
        """Read the value of an image."""
        address, handles = SIZED.unpack_from(image, 8)[0], _known(handles)
        if self.name.imported:
            return handles.take(address, own=True)
        return GuestResource(self.name, handles, _Box(capi.resource_any_clone(address)))


@final
@attrs.frozen(eq=False)
class Borrow:
    """A resource that is lent for one call."""

    name: ResourceName

    def lower(self, value: Value, keep: Keep) -> bytes:
        """Make the image; raises BadValue."""
        lowering = _lowering(keep)
        if self.name.imported:
            box = lowering.handles.give(self.name, value)
            lowering.given.append(box)
            lowering.loans.append(box)
        else:
            box = _checked(value, self.name, lowering)
            value._lent += 1
            lowering.lent.append(value)
        keep.append(box)
        return WORDS.pack(_RESOURCE, box.address, 0, 0)

    def lift(self, image: bytes, handles: "Handles | None" = None) -> Value:
        """Read the value of an image."""
        return _known(handles).take(SIZED.unpack_from(image, 8)[0], own=False)


@final
class Lowering(list[Any]):
    """What must stay alive until wasmtime has copied the images of one call, and what the call does to handles."""

    __slots__ = ("given", "handles", "lent", "loans", "moved")

    def __init__(self, handles: Handles) -> None:
        super().__init__()
        self.handles = handles
        self.given = list[_Box]()
        """All objects of the host's."""
        self.loans = list[_Box]()
        """Those among them that are only lent: wasmtime is told that the guest owns them, so that they are there."""
        self.moved = list[GuestResource]()
        self.lent = list[GuestResource]()

    def end(self) -> None:
        """The call is over: what was lent is back."""
        for value in self.lent:
            value._lent -= 1
        for box in self.loans:
            self.handles.take(box.address, own=True)
        self.lent.clear()
        self.loans.clear()

    def undo(self) -> None:
        """The call never was: everything is back."""
        for value in self.moved:
            value._gone = ""
        self.loans = self.given
        self.end()


def _lowering(keep: Keep) -> Lowering:
    return keep if isinstance(keep, Lowering) else _refuse("a resource outside a Store")


def _known(handles: Handles | None) -> Handles:
    return _refuse("a resource outside a Store") if handles is None else handles


def _refuse(problem: str) -> NoReturn:
    raise BadValue(problem)


def _checked(value: Value, name: ResourceName, lowering: Lowering) -> _Box:
    """The index of a handle that can be used here."""
    if not isinstance(value, GuestResource):
        raise BadType(f"{shown(value)} is no GuestResource")
    if value._name != name:
        raise BadType(f"{value!r} is no {name.name}")
    if value._handles is not lowering.handles or not value.usable:
        raise BadValue(f"{value!r} " + (value._gone or "belongs to another instance"))
    return value._image
