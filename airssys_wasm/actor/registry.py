"""Who is there: children by the number of their handle, and by id."""

from collections.abc import Callable, Iterator
from typing import final

import attrs

from airssys_wasm.actor.child import Child
from airssys_wasm.core.errors import AlreadyLoaded, ComponentNotFound, TargetNotFound
from airssys_wasm.core.ids import ComponentHandle, ComponentId
from airssys_wasm.core.messages import ComponentMessage


@final
@attrs.define(eq=False, repr=False)
class Registry:
    """The children of a supervisor, in the order of their loads.

    An id is found from the time its child runs until that is gone. `reserve` keeps an id for one load, so that of two
    at the same time one fails before it compiles. A supervisor on its own loads an id as often as it is asked to: the
    first one is then found by id, each by its handle.
    """

    on_gone: Callable[[ComponentId], object] = attrs.field(default=lambda _: None)
    """Told of each id that is free again."""
    _by_number: dict[int, Child] = attrs.field(factory=dict, init=False)
    _by_id: dict[ComponentId, Child] = attrs.field(factory=dict, init=False)
    _reserved: set[ComponentId] = attrs.field(factory=set, init=False)
    _next_number: int = attrs.field(default=1, init=False)

    def __len__(self) -> int:
        return len(self._by_number)

    def __iter__(self) -> Iterator[Child]:
        return iter(self._by_number.values())

    def reserve(self, id: ComponentId) -> None:  # noqa: A002 - the stable name
        """Keep an id until `release`.

        Raises:
            AlreadyLoaded: It is reserved or taken.
        """
        if id in self._reserved or id in self._by_id:
            raise AlreadyLoaded(id)
        self._reserved.add(id)

    def release(self, id: ComponentId) -> None:  # noqa: A002 - the stable name
        """Give a reserved id back, or leave it to the child that was added meanwhile."""
        self._reserved.discard(id)

    def next_handle(self, id: ComponentId) -> ComponentHandle:  # noqa: A002 - the stable name
        """A handle whose number was never used and never will be again; numbers count from 1."""
        handle = ComponentHandle(id, self._next_number)
        self._next_number += 1
        return handle

    def add(self, child: Child) -> None:
        """Make a child known, once it runs."""
        self._by_number[child.handle.handle_id] = child
        self._by_id.setdefault(child.id, child)

    def remove(self, child: Child) -> None:
        """Forget a child that is gone; silent when it was never added."""
        self._by_number.pop(child.handle.handle_id, None)
        if self._by_id.get(child.id) is child:
            del self._by_id[child.id]
            self.on_gone(child.id)

    def find(self, handle: ComponentHandle) -> Child | None:
        """The child behind a handle, None when it is gone or never was."""
        child = self._by_number.get(handle.handle_id)
        return child if child is not None and child.id == handle.id else None

    def by_handle(self, handle: ComponentHandle) -> Child:
        """The child behind a handle.

        Raises:
            ComponentNotFound: It is gone or never was.
        """
        child = self.find(handle)
        if child is None:
            raise ComponentNotFound(handle)
        return child

    def get(self, id: ComponentId) -> Child | None:  # noqa: A002 - the stable name
        """The child with this id, None when there is none."""
        return self._by_id.get(id)

    def by_id(self, id: ComponentId, message: ComponentMessage | None = None) -> Child:  # noqa: A002 - the stable name
        """The child with this id.

        Raises:
            TargetNotFound: There is none; it carries the message.
        """
        child = self._by_id.get(id)
        if child is None:
            raise TargetNotFound(id, message)
        return child

    def ids(self) -> tuple[ComponentId, ...]:
        """All ids, in the order of their loads."""
        return tuple(self._by_id)
