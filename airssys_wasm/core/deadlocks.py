"""The errors of waits that would never have ended (pure).

    DeliveryError                         core/errors.py
    ├─ RequestTimeout ── AskDeadlock      a handler would have waited for an answer that needs the handler to end
    └─ MailboxFull ── RoomDeadlock        ... for room that only its own end can make

`ring` says who waits for whom, from the one that was refused round to itself.
"""

from typing import TYPE_CHECKING

from airssys_wasm.core.errors import MailboxFull, RequestTimeout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airssys_wasm.core.ids import ComponentId
    from airssys_wasm.core.messages import ComponentMessage


def _text(component: "ComponentId", ring: "Sequence[ComponentId]") -> str:
    return f"waiting for {component} would never end: {' -> '.join(map(str, ring))}"


class AskDeadlock(RequestTimeout):
    """An ask of a served handler was refused: the component cannot answer before the handler ends."""

    def __init__(
        self, component: "ComponentId", ring: "Sequence[ComponentId]", message: "ComponentMessage | None" = None
    ) -> None:
        super().__init__(component, 0.0, "withdrawn", message)
        self.args = (_text(component, ring),)
        self.ring = tuple(ring)


class RoomDeadlock(MailboxFull):
    """A message was refused: the full mailbox belongs to a component that cannot go on before its sender does."""

    def __init__(
        self, component: "ComponentId", ring: "Sequence[ComponentId]", message: "ComponentMessage | None" = None
    ) -> None:
        super().__init__(component, message)
        self.args = (_text(component, ring),)
        self.ring = tuple(ring)
