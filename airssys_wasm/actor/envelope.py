"""What lies in a mailbox: a message, and where its answer goes."""

import asyncio
from typing import Any, final

import attrs

from airssys_wasm.core.calls import Invocation
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.ports import HostState


@final
@attrs.define(eq=False)
class Envelope:
    """A message on its way; `reply` is the asker's future, None for a tell.

    `started` turns True when the guest gets it. An asker that gives up earlier sets `withdrawn`: the actor then drops
    the envelope instead of delivering it.
    """

    message: ComponentMessage
    reply: "asyncio.Future[Any] | None" = None
    callback: bool = False
    started: bool = False
    withdrawn: bool = False
    instance: HostState | None = None
    """The instance that a callback is for; None means whichever is there."""
    invocation: Invocation | None = None
    """The function that is called instead of handling the message, which then only says who calls and when."""

    @property
    def reserved(self) -> bool:
        """Whether it answers a request, which has had a place in the mailbox from the start."""
        return self.instance is not None

    @property
    def size(self) -> int:
        """Payload bytes, what the mailbox's byte bound counts."""
        return len(self.message.payload.data) if self.invocation is None else self.invocation.size

    def answer(self, value: Any) -> None:
        """Complete the ask; nothing when nobody asked or the asker has gone."""
        if self.reply is not None and not self.reply.done():
            self.reply.set_result(value)

    def fail(self, error: BaseException) -> None:
        """End the ask with an error; nothing when nobody asked or the asker has gone."""
        if self.reply is not None and not self.reply.done():
            self.reply.set_exception(error)
