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
import logging
from collections.abc import Callable, Container, Iterable, Mapping
from ctypes import c_void_p
from typing import Any, Final, NoReturn, final

import attrs

from airssys_wasm.core.calls import BadType, BadValue, shown
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.guest_resource import PASSED_ON, Box, GuestResource
from airssys_wasm.runtime.abi.pace import DEAR_STEPS, Lifting
from airssys_wasm.runtime.abi.types import ResourceName
from airssys_wasm.runtime.abi.values import SIZED, WORDS, Keep, Lowering, Value
from airssys_wasm.runtime.raised import said

_RESOURCE: Final = 21
_logger: Final = logging.getLogger("airssys_wasm.runtime")


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
    droppable: Container[ResourceName] = ()
    """Those of the guest that it has a function to drop for."""
    call: "Callable[..., Any] | None" = None
    """Calls a function: interface, name, arguments; the last caller's. None where there is nobody to do it."""
    closed: bool = attrs.field(default=False, init=False)
    _objects: dict[int, Any] = attrs.field(factory=dict, init=False)
    """Those that the guest owns, by number."""
    _loans: dict[int, Any] = attrs.field(factory=dict, init=False)
    """Those that it has for a call."""
    _taken: list[Any] = attrs.field(factory=list, init=False)
    """Those that it has given back, on their way to whom it gave them: a call may be given up before they are there."""
    _dropped: list[Any] = attrs.field(factory=list, init=False)
    _keys: "itertools.count[int]" = attrs.field(factory=lambda: itertools.count(1), init=False)

    def __len__(self) -> int:
        return len(self._objects)

    def give(self, name: ResourceName, value: Any, *, lent: bool = False) -> Box:
        """Hand an object of the host's to the guest, for good or for a call; wasmtime keeps it as owned either way."""
        resource = self.provided.get(name)
        if resource is None:
            raise BadType(f"the host has no {name}")
        if resource.cls is not None and not isinstance(value, resource.cls):
            raise BadType(f"{shown(value)} is no {resource.cls.__name__}")
        rep = next(self._keys)
        host, found = capi.resource_host_new(True, rep, resource.number), c_void_p()
        text = capi.take_error(capi.resource_host_to_any(self.context, host, ctypes.addressof(found)))
        capi.resource_host_delete(host)
        if text is not None:
            raise BadValue(text)
        (self._loans if lent else self._objects)[rep] = value
        return Box(found.value or 0, rep)

    def take(self, address: int, *, own: bool) -> Any:
        """The host's object behind a handle, which the guest gives back when it is own."""
        host = c_void_p()
        text = capi.take_error(capi.resource_any_to_host(self.context, address, ctypes.addressof(host)))
        if text is not None:
            raise BadValue(text)
        rep = capi.resource_host_rep(host.value)
        capi.resource_host_delete(host.value)
        if own:
            self._taken.append(value := self._objects.pop(rep))
            return value
        return self._loans[rep] if rep in self._loans else self._objects[rep]

    def take_back(self, box: Box) -> None:
        """An object that was given is nobody's but the host's again, whatever became of the call."""
        self._loans.pop(box.rep, None)
        self._objects.pop(box.rep, None)
        host = c_void_p()
        text = capi.take_error(capi.resource_any_to_host(self.context, box.address, ctypes.addressof(host)))
        if text is None:
            capi.resource_host_delete(host.value)

    def drop(self, rep: int) -> None:
        """The guest has dropped its handle to an object; called on the guest's stack, `settle` does the rest."""
        if rep in self._objects:
            self._dropped.append(self._objects.pop(rep))

    def hand_over(self) -> None:
        """What was taken is where it was to go."""
        self._taken = []

    def refuse(self) -> None:
        """What was taken goes nowhere; `settle` does the rest."""
        self._dropped += self._taken
        self._taken = []

    def settle(self) -> list[Any]:
        """The objects that were dropped since the last time, in order; each once."""
        dropped, self._dropped = self._dropped, []
        return dropped

    def close(self) -> list[Any]:
        """The Store has ended: what the guest still had a handle to, and what was not settled or handed over."""
        self.closed = True
        self.refuse()
        left = [*self._dropped, *self._objects.values()]
        self._dropped, self._objects = [], {}
        return left


@final
@attrs.frozen(eq=False)
class Own:
    """A resource that changes hands."""

    name: ResourceName
    gone: str = PASSED_ON
    """What a handle says of itself from then on."""

    def lower(self, value: Value, keep: Keep) -> bytes:
        """Make the image; raises BadValue."""
        lowering = _lowering(keep)
        keep.spend(DEAR_STEPS)
        if self.name.imported:
            box = lowering.handles.give(self.name, value)
            lowering.given.append(box)
        else:
            box = _checked(value, self.name, lowering)
            if value._lent:
                raise BadValue(f"{value!r} is lent in the same call")
            value._gone = self.gone
            lowering.moved.append(value)
        keep.append(box)
        return WORDS.pack(_RESOURCE, box.address, 0, 0)

    def lift(self, image: bytes, lifting: Lifting) -> Value:
        """Read the value of an image."""
        address, handles = SIZED.unpack_from(image, 8)[0], _known(lifting.handles)
        lifting.spend(DEAR_STEPS)
        if lifting.trial:
            return None
        if self.name.imported:
            return handles.take(address, own=True)
        return GuestResource(self.name, handles, Box(capi.resource_any_clone(address)))


@final
@attrs.frozen(eq=False)
class Borrow:
    """A resource that is lent for one call."""

    name: ResourceName

    def lower(self, value: Value, keep: Keep) -> bytes:
        """Make the image; raises BadValue."""
        lowering = _lowering(keep)
        keep.spend(DEAR_STEPS)
        if self.name.imported:
            box = lowering.handles.give(self.name, value, lent=True)
            lowering.given.append(box)
            lowering.loans.append(box)
        else:
            box = _checked(value, self.name, lowering)
            value._lent += 1
            lowering.lent.append(value)
        keep.append(box)
        return WORDS.pack(_RESOURCE, box.address, 0, 0)

    def lift(self, image: bytes, lifting: Lifting) -> Value:
        """Read the value of an image."""
        handles = _known(lifting.handles)
        lifting.spend(DEAR_STEPS)
        return None if lifting.trial else handles.take(SIZED.unpack_from(image, 8)[0], own=False)


def _lowering(keep: Keep) -> Lowering:
    return keep if isinstance(keep, Lowering) else _refuse("a resource outside a Store")


def _known(handles: Handles | None) -> Handles:
    return _refuse("a resource outside a Store") if handles is None else handles


def _refuse(problem: str) -> NoReturn:
    raise BadValue(problem)


def _checked(value: Value, name: ResourceName, lowering: Lowering) -> Box:
    """The index of a handle that can be used here."""
    if not isinstance(value, GuestResource):
        raise BadType(f"{shown(value)} is no GuestResource")
    if value._name != name:
        raise BadType(f"{value!r} is no {name.name}")
    if value._handles is not lowering.handles or not value.usable:
        raise BadValue(f"{value._name} {value._gone or 'belongs to another instance'}")
    return value._image


def leave(objects: Iterable[Any]) -> None:
    """Leave objects that nobody has a handle to any more; what that raises goes to the log."""
    for thing in objects:
        leave_it = getattr(type(thing), "__exit__", None)
        if leave_it is not None:
            try:
                leave_it(thing, None, None, None)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as exc:  # noqa: BLE001 - nobody waits for it, and the others are to be left too
                reason = said(exc)  # a record may be kept, and the exception would keep the guest
                _logger.error("%s could not be left: %s", type(thing).__name__, reason)  # noqa: TRY400
