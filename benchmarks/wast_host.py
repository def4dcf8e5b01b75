"""What the tests import: the host of wasmtime's own test runner, and components that stand behind others' imports."""

from typing import Any, Self, final

import attrs

from airssys_wasm.core.calls import Invocation
from airssys_wasm.runtime.store import GuestStore


@final
@attrs.frozen
class Linked:
    """A component that another one imports as an instance: its own functions, called from Python."""

    guest: GuestStore

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        async def function(*arguments: Any) -> Any:
            return await self.guest.call(Invocation("", name, arguments, {}))

        return function


def host() -> dict[str, object]:
    """The imports, with a count of drops of their own."""
    dropped = list[int]()

    class Resource1:
        """A resource whose representation is a number."""

        def __init__(self, rep: int) -> None:
            self.rep = rep

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_exc: object) -> None:
            dropped.append(self.rep)

        def simple(self, rep: int) -> None:
            assert self.rep == rep

        def take_borrow(self, other: Self) -> None:
            assert isinstance(other, Resource1)

        def take_own(self, other: Self) -> None:
            assert isinstance(other, Resource1)

        @staticmethod
        def assert_(resource: "Resource1", rep: int) -> None:
            assert isinstance(resource, Resource1)
            assert resource.rep == rep

        @staticmethod
        def last_drop() -> int:
            return dropped[-1]

        @staticmethod
        def drops() -> int:
            return len(dropped)

    return {"host": Host(Resource1), "host-return-two": lambda: 2, "host-echo-u32": lambda v: v}


@final
class Host:
    """The instance `host`."""

    def __init__(self, resource1: type) -> None:
        self.Resource1 = resource1

    Resource2 = type("Resource2", (), {})

    def return_three(self) -> int:
        """Three."""
        return 3

    def return_hi(self) -> str:
        """Text."""
        return "hi"
