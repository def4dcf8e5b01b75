"""An instance that lives and has not got the mailbox: the next one before its turn, the last one after it.

the actor's task:  setup ─► wait ─► serve ─► (step aside) ─► wait ─► serve, or shutdown
                             ▲ │
an upgrade:     ask, go_on ──┘ └─► arrival, answers
"""

import asyncio
from typing import final

from airssys_wasm.core.errors import GuestError, PayloadTooLarge
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.ports import Guest


class NotAside(Exception):
    """The instance has ended, or goes on with the mailbox, and answers nothing."""


@final
class Aside:
    """What an upgrade and the actor whose instance is aside have in common.

    The calls are made by the actor's own task, so that orders, kills and deadlines hold for them as for messages.
    """

    def __init__(self, *, is_killed: bool = False) -> None:
        self._here, self._bell, self._ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._reason: ExitReason | None = None
        self._asked: tuple[ComponentMessage, asyncio.Future[bytes | None]] | None = None
        self._over, self.is_killed = False, is_killed

    def waits(self) -> bool:
        """Whether the instance waits, and nobody has told it to go on, or to end, which comes a turn later."""
        return self._here.is_set() and not (self._over or self.is_killed)

    async def arrival(self) -> bool:
        """Wait until the instance is aside; whether it still is. Cancellation: it comes, or stays, all the same."""
        await self._here.wait()
        return self.waits()

    async def end_of_actor(self) -> ExitReason:
        """Wait until the actor has ended, of an instance that never went on; returns how. Cancellation: nothing."""
        await self._ended.wait()
        return self._reason or ExitReason(ExitKind.STOPPED)

    async def ask(self, message: ComponentMessage) -> bytes | None:
        """Have the instance handle a message.

        Raises:
            GuestError: It answered err, and lives.
            PayloadTooLarge: Its answer was over the limit; it lives.
            ExecutionError: It has crashed.
            NotAside: It has ended, or has been told to go on.

        Cancellation: the instance may handle it all the same.
        """
        if self._over:
            raise NotAside
        answer: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._asked = message, answer
        self._bell.set()
        return await answer

    def go_on(self) -> None:
        """Have the actor go on, after the call that it may be in."""
        self._over = True
        self._bell.set()

    async def wait(self, guest: Guest) -> None:
        """Answer until told to go on; called by the actor. Raises what a call raises that has spent the instance."""
        self._here.set()
        try:
            while not self._over:
                if self._asked is not None:
                    await self._answer(guest, *self._asked)
                else:
                    self._bell.clear()
                    await self._bell.wait()
        finally:
            self._refuse()

    def end(self, reason: ExitReason) -> None:
        """The actor has ended."""
        self._reason, self._over = reason, True
        self._here.set()
        self._ended.set()
        self._refuse()

    async def _answer(self, guest: Guest, message: ComponentMessage, answer: "asyncio.Future[bytes | None]") -> None:
        try:
            result = await guest.handle_message(message)
        except (GuestError, PayloadTooLarge) as exc:
            _fail(answer, exc)
        except Exception as exc:
            _fail(answer, exc)
            raise
        else:
            if not answer.done():
                answer.set_result(result)
        self._asked = None

    def _refuse(self) -> None:
        """Answer what was asked and will not be."""
        if self._asked is not None:
            _fail(self._asked[1], NotAside())
            self._asked = None


def _fail(answer: "asyncio.Future[bytes | None]", error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
