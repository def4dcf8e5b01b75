"""The plugin guest of `tests/guests/plugin.c` and what it imports."""

import asyncio
from typing import Any, ClassVar, Final

from airssys_wasm.core.calls import CallError, Given, Invocation
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.store import GuestStore
from tests.runtime.guests import GUEST, binary

API: Final = "my:app/api"
KV: Final = "my:app/kv"


class NotFound(Exception):
    """Named like the case of kv-error that it stands for."""


class Kv:
    """The interface `my:app/kv`."""

    def __init__(self) -> None:
        self.values = dict[str, str]()

    def get(self, key: str) -> str:
        """The value of a key, or one of kv-error's cases."""
        if key == "busy":
            raise CallError("busy")
        if key == "denied":
            raise CallError(("denied", {"code": 7, "text": "no"}))
        if key not in self.values:
            raise NotFound(key)
        return self.values[key]

    def set(self, key: str, value: str) -> None:
        """Keep a value."""
        self.values[key] = value

    async def wait(self, number: int) -> int:
        """Give the loop a turn."""
        await asyncio.sleep(0)
        return number + 1

    class Store:
        """The resource; `left` has the names of those that were left."""

        left: ClassVar[list[str]] = []

        def __init__(self, name: str) -> None:
            self.name = name

        def get(self, key: str) -> str | None:
            """A value that shows where it is from."""
            return f"{self.name}/{key}" if key else None

        @staticmethod
        def find(name: str) -> "Kv.Store":
            """A store unless its name is "none"."""
            if name == "none":
                raise LookupError("no such store")
            return Kv.Store(name)

        def __exit__(self, *_error: object) -> None:
            self.left.append(self.name)


async def start_plugin(engine: WasmtimeEngine, kv: object, limits: Limits | None = None) -> GuestStore:
    """An instance whose kv is that object."""
    state = HostState(GUEST, limits or Limits())
    compiled = await engine.compile(binary("plugin"), state.limits)
    return await engine.start(await engine.bind(compiled, Given({KV: kv})), state)


async def called(guest: GuestStore, function: str, *arguments: Any, **keywords: Any) -> Any:
    """What a function of its api answers."""
    return await guest.call(Invocation(API, function, arguments, keywords))


class Plugin:
    """A plugin for the length of a test: called, it calls a function of its api."""

    def __init__(self, guest: GuestStore) -> None:
        self.guest = guest

    async def __call__(self, function: str, *arguments: Any, **keywords: Any) -> Any:
        """What the function answers."""
        return await called(self.guest, function, *arguments, **keywords)

    async def aclose(self) -> None:
        """End it; what it was made of is free."""
        await self.guest.aclose()
        del self.guest
