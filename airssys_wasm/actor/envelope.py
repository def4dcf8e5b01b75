"""What lies in a mailbox: a message, and where its answer goes."""

import asyncio
import math
from typing import Any, final

import attrs

from airssys_wasm.core.calls import Invocation
from airssys_wasm.core.messages import RESERVED_CONTENT_TYPE_PREFIX, ComponentMessage
from airssys_wasm.core.ports import HostState


@final
@attrs.define(eq=False)
class Envelope:
    """A message on its way; `reply` is the asker's future, None for a tell. From `due` on it is not worth starting.

    | flag | it is |
    |---|---|
    | inside | in a mailbox |
    | started | with the guest, or has been |
    | lost | a dead letter; it is never started from then on |
    | reserved | one that has a place in the mailbox from the start, and is not counted there |
    """

    message: ComponentMessage
    reply: "asyncio.Future[Any] | None" = None
    callback: bool = False
    due: float = math.inf
    instance: HostState | None = None
    """The instance that a callback is for; None means whichever is there."""
    invocation: Invocation | None = None
    """The function that is called instead of handling the message, which then only says who calls and when."""
    inside: bool = attrs.field(default=False, init=False)
    started: bool = attrs.field(default=False, init=False)
    lost: bool = attrs.field(default=False, init=False)
    reserved: bool = attrs.field(default=False, init=False)
    key: bytes | None = attrs.field(default=None, init=False, repr=False)
    """What `latest-by-key` goes by, empty for none; None until a mailbox has looked."""
    size: int = attrs.field(init=False, repr=False)
    """Payload bytes, what the mailbox's byte bound counts."""

    @size.default
    def _size_of_payload(self) -> int:
        return len(self.message.payload.data) if self.invocation is None else self.invocation.size

    @property
    def exempt(self) -> bool:
        """Whether no policy may refuse or drop it: a callback, one of the runtime's own messages, a drop; no call."""
        own = (self.message.metadata.content_type or "").startswith(RESERVED_CONTENT_TYPE_PREFIX)
        return self.callback or (own and self.invocation is None) or self.stays

    @property
    def stays(self) -> bool:
        """Whether it is done in its turn though nobody waits for that any more: a resource is dropped."""
        return self.invocation is not None and self.invocation.drops

    def answer(self, value: Any) -> None:
        """Complete the ask; nothing when nobody asked or the asker has gone."""
        if self.reply is not None and not self.reply.done():
            self.reply.set_result(value)

    def fail(self, error: BaseException) -> None:
        """End the ask with an error; nothing when nobody asked or the asker has gone."""
        if self.reply is not None and not self.reply.done():
            self.reply.set_exception(error)
