"""Served host code that answers when the test lets it."""

import asyncio
from typing import Final, final

import attrs

from airssys_wasm import ActorSystem, ComponentId, ComponentMessage

GATE: Final = ComponentId("host", "tests", "gate")


@final
@attrs.define(eq=False)
class Gate:
    """Answers each message with its own payload, once it is open; `got` is what has begun."""

    id: ComponentId = GATE
    got: list[bytes] = attrs.field(factory=list)
    _opened: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def serve(self, system: ActorSystem) -> None:
        """Begin to take messages."""
        await system.serve(self.id, self._answer)

    def open(self) -> None:
        """Answer what waits and what comes from now on."""
        self._opened.set()

    async def _answer(self, message: ComponentMessage) -> bytes:
        self.got.append(message.payload.data)
        await self._opened.wait()
        return message.payload.data
