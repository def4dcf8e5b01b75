"""The built guests and short ways to talk to them."""

from pathlib import Path
from typing import Final, final

import pytest

from airssys_wasm.core.config import ComponentConfig, Execution
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.messages import ComponentMessage, MessageMetadata
from airssys_wasm.core.ports import HostState, Outbox
from airssys_wasm.runtime.compiled import CompiledComponent
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.store import GuestStore

GUESTS: Final = Path(__file__).parent.parent / "guests"
SENDER: Final = ComponentId("host", "tests", "0")
GUEST: Final = ComponentId("demo", "guest", "0")

BOTH_PATHS: Final = pytest.mark.parametrize("byte_path", [True, False], ids=["bytes", "values"])
"""For tests that payloads pass through: as one block, and value by value."""


def binary(name: str) -> bytes:
    """The component of a guest."""
    return (GUESTS / f"{name}.wasm").read_bytes()


def message(payload: bytes = b"", metadata: MessageMetadata | None = None) -> ComponentMessage:
    """A message of the host's."""
    return ComponentMessage(SENDER, payload, metadata or MessageMetadata())


async def ask(guest: GuestStore, payload: bytes) -> bytes | None:
    """Have a guest handle a payload."""
    return await guest.handle_message(message(payload))


async def said(guest: GuestStore, command: str) -> str:
    """Have the hostile guest carry out a command; its answer as text."""
    answer = await ask(guest, command.encode())
    assert answer is not None
    return answer.decode()


@final
class Start:
    """What the fixture `start` gives: starts guests that are closed with the test."""

    def __init__(self, engine: WasmtimeEngine) -> None:
        self._engine = engine
        self._guests: list[GuestStore] = []

    async def __call__(
        self,
        source: str | bytes | CompiledComponent = "hostile",
        *,
        limits: Limits | None = None,
        config: str | None = None,
        env: dict[str, str] | None = None,
        execution: Execution = Execution.AUTO,
        outbox: Outbox | None = None,
        component: ComponentId = GUEST,
    ) -> GuestStore:
        """Compile, start and initialize a guest: a name of `tests/guests`, a binary, or a compiled component."""
        state = HostState(component, limits or Limits(), outbox, execution)
        compiled = await self._engine.compile(binary(source) if isinstance(source, str) else source, state.limits)
        guest = await self._engine.start(compiled, state)
        self._guests.append(guest)
        await guest.initialize(ComponentConfig.of(config, env))
        return guest

    async def aclose(self) -> None:
        """Close the guests, the last one first."""
        while self._guests:
            await self._guests.pop().aclose()
