"""What host code sends through a system by address: messages, requests, publications; and what it serves."""

import abc
import math
import sys
from collections.abc import Mapping
from typing import Final

import attrs

from airssys_wasm.actor.child import ChildSpec
from airssys_wasm.actor.handle import ActorHandle
from airssys_wasm.core.errors import ActorStopped, AirssysError, ConfigError, DeliveryError, InvalidId
from airssys_wasm.core.ids import HOST_NAMESPACE, ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.mailboxes import MailboxPolicy, MailboxRule, mailbox_policy
from airssys_wasm.core.messages import Payload, check_content_type
from airssys_wasm.core.ports import HostState
from airssys_wasm.messaging.pace import Pace
from airssys_wasm.system.builder import Parts
from airssys_wasm.system.serving import CallbackHandler, Handler, Served

DEFAULT_REQUEST_TIMEOUT: Final = 5.0
"""Seconds, as for an ask."""

PUBLISH_SECONDS: Final = 1.0
"""How long a publication waits for room, all its subscribers together; as long as a guest's broadcast."""


@attrs.frozen
class Published:
    """What became of a publication: how many mailboxes took it, and why the others did not."""

    delivered: int
    failed: Mapping[ComponentId, DeliveryError]


class Traffic(abc.ABC):
    """The part of `ActorSystem` that carries messages."""

    @abc.abstractmethod
    def _parts(self) -> Parts:
        """The objects of the running system; raises RuntimeError when it has not been entered."""

    @abc.abstractmethod
    def _handle_of(self, id: ComponentId) -> ActorHandle | None:  # noqa: A002 - the stable name
        """The handle of what is loaded under an id."""

    async def send(
        self,
        sender: ComponentId | None,
        target: ComponentId,
        payload: Payload,
        content_type: str | None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        """Send a message by address, waiting for room in the mailbox.

        Args:
            sender: None or an id in the namespace `host`: host code, which needs no grant; a component's id: host code
                that speaks for it, with no more than its grants.
            target: who is to get it.
            payload: any bytes.
            content_type: what the guest is told of the payload's format.
            timeout: seconds after which the message is not worth handling, waiting for room included; None: never.

        Raises:
            TargetNotFound: No component has this id.
            CapabilityDenied: The sender has no grant.
            MailboxFull: There was no room in time, or the mailbox's policy is to reject.
            DeliveryError: What else kept it from being accepted.
            ConfigError: The content type is reserved, or the timeout is not a number of seconds.

        Cancellation: the message will not be handled, unless it has started.
        """
        router, content_type = self._parts().router, check_content_type(content_type)
        await router.send(
            sender or router.host, target, payload, wait=None, content_type=content_type, timeout=timeout, by_host=True
        )

    async def request(
        self,
        sender: ComponentId,
        target: ComponentId,
        payload: Payload,
        *,
        timeout: float = DEFAULT_REQUEST_TIMEOUT,
        content_type: str | None = None,
    ) -> str:
        """Ask one component on behalf of another: the answer comes to the `handle-callback` of the sender.

        Args:
            sender: who asks and gets the answer: a loaded component, with no more than its grants, or served host code.
            target: who is asked.
            payload: any bytes.
            timeout: seconds until the callback says timeout; 0 at once.
            content_type: what the target is told of the payload's format.

        Returns:
            The correlation id, which the callback carries.

        Raises:
            TargetNotFound: No component has one of the ids.
            ActorStopped: The sender is not running.
            InstantiationFailed: The sender slept and could not be revived.
            MailboxFull: The sender has too many requests under way, or there was no room for the message.
            DeliveryError: What else kept it from being accepted.
            ConfigError: The content type is reserved, or the timeout is not a number of seconds.

        Cancellation: the request is taken back; its message will not be handled, unless it has started.
        """
        if not _is_time(timeout):
            raise ConfigError("timeout", timeout, "is not a number of seconds")
        parts, content_type = self._parts(), check_content_type(content_type)
        try:
            instance = await self._instance_of(sender)  # the answer goes to the one that asks
        except AirssysError as exc:
            parts.router.lose_request(sender, target, payload, content_type, exc)
            raise
        return await parts.router.request(
            instance, target, payload, timeout=timeout, content_type=content_type, by_host=True
        )

    async def _instance_of(self, component: ComponentId) -> HostState:
        parts = self._parts()
        child = parts.registry.by_id(component)
        await parts.supervisor.wake(child)
        if child.actor is None or child.actor.instance is None:
            raise ActorStopped(component, child.reason)
        return child.actor.instance

    async def subscribe(self, topic: str, target: ComponentId) -> None:
        """Have a component get what is published to a topic; twice is once, and it ends with the component's unload.

        Args:
            topic: dotted; a segment may be `*`, any one, and the last may be `#`, any rest.
            target: a loaded component, or served host code.

        Raises:
            TargetNotFound: No component has this id.
            ConfigError: It is no subscription.
        """
        parts = self._parts()
        parts.registry.by_id(target)
        parts.subscriptions.add(topic, target)

    async def unsubscribe(self, topic: str, target: ComponentId) -> None:
        """Take a subscription back; silent when there is none. Raises ConfigError when it is no subscription."""
        self._parts().subscriptions.remove(topic, target)

    async def publish(self, topic: str, payload: Payload, content_type: str | None = None) -> Published:
        """Send a message to every subscriber of a topic, going on past those that are full or have failed.

        Args:
            topic: dotted, without wild cards.
            payload: any bytes.
            content_type: what the guests are told of the payload's format.

        Returns:
            How many took it, and for each other one why not; those are dead letters too. Room in full mailboxes is
            waited for 1 s, all together.

        Raises:
            ConfigError: It is no topic, or the content type is reserved.

        Cancellation: some subscribers have it, the others do not.
        """
        parts, content_type = self._parts(), check_content_type(content_type)
        clock, failed, delivered = parts.supervisor.clock, dict[ComponentId, DeliveryError](), 0
        deadline, pace = clock.time() + PUBLISH_SECONDS, Pace()
        targets = []
        for target in parts.subscriptions.looked_through(topic):
            targets += [target] if target is not None else []
            await pace.breathe()
        for target in targets:
            wait = max(0.0, deadline - clock.time())
            try:
                await parts.router.send(
                    parts.router.host, target, payload, wait=wait, content_type=content_type, by_host=True
                )
                delivered += 1
            except DeliveryError as exc:
                failed[target] = exc
            await pace.breathe()
        return Published(delivered, failed)

    async def serve(
        self,
        id: ComponentId,  # noqa: A002 - the stable name
        handler: Handler,
        *,
        on_callback: CallbackHandler | None = None,
        limits: Limits | None = None,
        mailbox: MailboxPolicy | str = MailboxRule.WAIT,
    ) -> ActorHandle:
        """Have host code handle messages as an actor, which guests with a grant can send to and ask.

        One message at a time, in order; `serving.py` says what becomes of a handler that raises or takes too long.

        Args:
            id: its address, in the namespace `host`.
            handler: gets each message; what it returns is the answer.
            on_callback: gets the answers to requests made with `request(id, …)`; without it they are dropped.
            limits: of its mailbox and of each call; None: the defaults.
            mailbox: as in `load`.

        Returns:
            Its handle; `unload` ends it.

        Raises:
            AlreadyLoaded: The id is taken.
            InvalidId: It is in another namespace.
            ActorStopped: The system is being left.
        """
        parts = self._parts()
        if id.namespace != HOST_NAMESPACE:
            raise InvalidId("namespace", id.namespace, f"is not {HOST_NAMESPACE!r}, which host code is served in")
        served = Served(handler, on_callback)
        spec = ChildSpec(
            id=id,
            compiled=served,
            limits=limits or Limits(),
            mailbox=mailbox_policy(mailbox),
            outbox=parts.router,
        )
        parts.registry.reserve(id)
        try:
            await parts.supervisor.start_child(spec)
        finally:
            parts.registry.release(id)
        handle = self._handle_of(id)
        assert handle is not None  # noqa: S101 - it has just been started
        return handle


def _is_time(value: object) -> bool:
    """Whether it is a number of seconds: no NaN, no int that no float can hold; infinity is one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= sys.float_info.max or value == math.inf
