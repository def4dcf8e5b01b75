"""What host code holds of a loaded component: ask it, tell it, restart it, see how it is."""

from typing import TYPE_CHECKING, Any, Final, Protocol, final

import attrs

from airssys_wasm.actor.proxies import Caller, InterfaceProxy
from airssys_wasm.core.messages import check_content_type

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from airssys_wasm.actor.child import Child
    from airssys_wasm.core.calls import Invocation
    from airssys_wasm.core.exits import ExitReason
    from airssys_wasm.core.ids import ComponentId
    from airssys_wasm.core.messages import Payload
    from airssys_wasm.core.observations import ActorState, ActorStatistics
    from airssys_wasm.core.ports import ComponentMetadata

DEFAULT_ASK_TIMEOUT: Final = 5.0
"""Seconds, as for a call in OTP's `gen_server`."""


class HandleOutbox(Protocol):
    """The way up for a handle's messages: the router of its system."""

    def ask(
        self, child: "Child", payload: "Payload", timeout: float | None, content_type: str | None, *, interrupt: bool
    ) -> "Awaitable[bytes | None]":
        """Have a message handled and wait for the answer."""
        ...

    def call(
        self, child: "Child", invocation: "Invocation", timeout: float | None, *, interrupt: bool
    ) -> "Awaitable[Any]":
        """Have a function called and wait for the answer."""
        ...

    def tell(
        self, child: "Child", payload: "Payload", content_type: str | None, timeout: float | None
    ) -> "Awaitable[None]":
        """Put a message in, waiting for room."""
        ...

    def tell_nowait(self, child: "Child", payload: "Payload", content_type: str | None, timeout: float | None) -> None:
        """Put a message in now."""
        ...


class HandleKeeper(Protocol):
    """The way up for what a handle does with its component: the supervisor."""

    async def restart(self, child: "Child") -> None:
        """Replace the instance."""
        ...

    async def wait_stopped(self, child: "Child") -> "ExitReason":
        """Wait for the end."""
        ...


@final
@attrs.frozen(repr=False)
class ActorHandle:
    """One load of one component. It survives restarts; after an unload every message to it ends as `ActorStopped`.

    Handles of the same load are equal.
    """

    _child: "Child"
    _outbox: HandleOutbox = attrs.field(eq=False)
    _keeper: HandleKeeper = attrs.field(eq=False)

    @property
    def id(self) -> "ComponentId":
        """The component's address."""
        return self._child.spec.id

    @property
    def handle_id(self) -> int:
        """The number of this load, never used again."""
        return self._child.handle.handle_id

    @property
    def state(self) -> "ActorState":
        """Where it is in its life."""
        return self._child.state

    @property
    def metadata(self) -> "ComponentMetadata":
        """What the component said it is when it last started."""
        return self._child.metadata

    async def ask(
        self,
        payload: "Payload",
        *,
        timeout: float | None = DEFAULT_ASK_TIMEOUT,
        content_type: str | None = None,
        interrupt: bool = False,
    ) -> bytes | None:
        """Have the component handle a message and wait for its answer.

        Args:
            payload: any bytes.
            timeout: seconds until `RequestTimeout`, waiting for room in the mailbox included; None without limit.
            content_type: what the guest is told of the payload's format.
            interrupt: whether a timeout or a cancellation stops the guest in the middle of the message, which costs
                it its instance; otherwise it goes on to its own deadline and the answer is dropped.

        Returns:
            The answer; None is the guest's `none`, `b""` is an answer.

        Raises:
            GuestError: The guest answered err.
            ComponentCrashed: It crashed on this message; the cause says of what.
            RequestTimeout: `outcome` says what has become of the message.
            MailboxFull: Its mailbox's policy refused the message, or dropped it later.
            ActorStopped: It was stopped or interrupted before it answered, or has failed.
            PayloadTooLarge: The payload is over the component's limit.
            ConfigError: The content type is reserved, or the timeout is not a number of seconds.

        Cancellation: as a timeout: a message that has not started never will; one that has goes on unless `interrupt`.
        """
        return await self._outbox.ask(
            self._child, payload, timeout, check_content_type(content_type), interrupt=interrupt
        )

    async def tell(self, payload: "Payload", *, timeout: float | None = None, content_type: str | None = None) -> None:
        """Send a message without waiting for an answer, but for room in the mailbox.

        Args:
            payload: any bytes.
            timeout: seconds after which the message is not worth handling, waiting for room included; None: never.
                One that has not begun by then is not run: it is a dead letter, `expired`, when its turn comes.
            content_type: what the guest is told of the payload's format.

        Raises:
            MailboxFull: There was no room in time, or the mailbox's policy is to reject.
            ActorStopped: It is gone or has failed.
            PayloadTooLarge: The payload is over the component's limit.
            ConfigError: The content type is reserved, or the timeout is not a number of seconds.

        Cancellation: the message will not be handled, unless it has started.
        """
        await self._outbox.tell(self._child, payload, check_content_type(content_type), timeout)

    def tell_nowait(self, payload: "Payload", *, timeout: float | None = None, content_type: str | None = None) -> None:
        """Send a message if there is room for it now; `timeout` as in `tell`.

        Raises:
            MailboxFull: There is not.
            ActorStopped: It is gone or has failed.
            PayloadTooLarge: The payload is over the component's limit.
            ConfigError: The content type is reserved, or the timeout is not a number of seconds.
        """
        self._outbox.tell_nowait(self._child, payload, check_content_type(content_type), timeout)

    async def call(
        self,
        interface: str,
        function: str,
        /,
        *arguments: Any,
        named: "Mapping[str, Any] | None" = None,
        timeout: float | None = DEFAULT_ASK_TIMEOUT,
        interrupt: bool = False,
        raise_err: bool = True,
    ) -> Any:
        """Call one of the component's own functions, through its mailbox, and wait for the answer.

        Args:
            interface: its name, as in "my:app/api@1.0.0"; the version may be left out. Empty for a bare function.
            function: its name, in WIT or in Python: "look-up" or "look_up", "Counter" for a resource's constructor,
                "Counter.add" for its method or static function.
            arguments: by position.
            named: arguments by their names in Python; whatever these are, they are no settings of the call.
            timeout: as for `ask`.
            interrupt: as for `ask`; a host function that the guest waits for is then cancelled with it.
            raise_err: whether an err is raised; otherwise a function with a result answers `Ok` or `Err`.

        Returns:
            What the function answers.

        Raises:
            CallError: It answered err; `value` is what.
            BadValue: An argument does not fit its type, the text begins with its place; also a TypeError where it is
                of another type altogether, or there are too few or too many. The guest has not run.
            FunctionNotFound: The component exports no such function; the error lists those that it does.
            ComponentCrashed, RequestTimeout, ActorStopped, PayloadTooLarge, ConfigError: As for `ask`.

        Cancellation: as for `ask`.
        """
        caller = Caller(self._child, self._outbox, timeout, interrupt, raise_err)
        return await caller(interface, function, *arguments, **(named or {}))

    def __getitem__(self, interface: str) -> InterfaceProxy:
        """An interface whose functions are called like methods, with the defaults of `call`."""
        return self.interface(interface)

    def interface(
        self,
        name: str,
        *,
        timeout: float | None = DEFAULT_ASK_TIMEOUT,
        interrupt: bool = False,
        raise_err: bool = True,
    ) -> InterfaceProxy:
        """An interface whose functions are called like methods, with settings of its own; see `call`.

        All that such a function is called with are arguments of its own, also one that is named `timeout`.
        """
        return InterfaceProxy(name, Caller(self._child, self._outbox, timeout, interrupt, raise_err))

    async def restart(self) -> None:
        """Have a new instance, or revive a component that has failed or sleeps; returns when it has initialized.

        The message in progress is interrupted, what waits in the mailbox is kept. Does not count towards the intensity.

        Raises:
            ActorStopped: It is gone, or was stopped meanwhile.
            InstantiationFailed: The new instance could not be started; the restart plan goes on.

        Cancellation: the restart goes on.
        """
        await self._keeper.restart(self._child)

    async def wait_stopped(self) -> "ExitReason":
        """Wait until the component is gone for good or has failed; returns how it ended.

        Cancellation: nothing changes for the component.
        """
        return await self._keeper.wait_stopped(self._child)

    def statistics(self) -> "ActorStatistics":
        """The component at this moment."""
        return self._child.statistics()

    async def _ask_control(self, payload: "Payload", content_type: str, timeout: float | None = None) -> bytes | None:
        """Ask with one of the runtime's own content types; only for components that list the operation."""
        return await self._outbox.ask(self._child, payload, timeout, content_type, interrupt=False)

    def __repr__(self) -> str:
        return f"ActorHandle({self._child.handle}, {self._child.state})"
