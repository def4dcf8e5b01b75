"""The one choke point: who holds which grant, and may it (`now` is the caller's clock and never goes back)."""

from collections.abc import Iterable
from typing import Final, final

import attrs

from airssys_wasm.core.errors import CapabilityDenied
from airssys_wasm.core.ids import HOST_NAMESPACE, ComponentId
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.security.capabilities import Action, Capabilities, MessageAction

HOST_REASON: Final = "host code needs no grant"
NO_GRANT: Final = "no grant permits it"

_MOST_KNOWN: Final = 4096
"""Decisions kept until the next change of a grant: some 1 MB, enough for the pairs that talk often."""


@final
@attrs.frozen
class Decision:
    """One answer of the guard: whether, why, and about whom; `resource` is a printed id or a storage key."""

    granted: bool
    reason: str
    component: ComponentId
    action: Action
    resource: str


@final
@attrs.frozen
class Grant:
    """Capabilities that a component holds, until `expires_at` (seconds of the caller's clock) or for good."""

    capabilities: Capabilities
    expires_at: float | None = None

    def expired(self, now: float) -> bool:
        """Whether it no longer permits anything: strictly after its time."""
        return self.expires_at is not None and now > self.expires_at


@final
@attrs.define(eq=False)
class Guard:
    """Grants by component, and the decisions that follow from them.

    | a component has | it may | it is reached by |
    |---|---|---|
    | no grant | nothing, not even send to itself | everyone who may send to it |
    | several grants | what one of them permits | those whom each `receive_from` admits |
    | grants that expired or were revoked | nothing | those whom each `receive_from` still admits |

    Expiry and `revoke` only ever take away: `receive_from` goes on to restrict until the component is forgotten.
    Senders in the namespace "host" need no grant, and `receive_from` does not apply to them.
    """

    _grants: dict[ComponentId, tuple[Grant, ...]] = attrs.field(factory=dict, init=False)
    _doors: dict[ComponentId, tuple[Capabilities, ...]] = attrs.field(factory=dict, init=False)
    _known: dict[tuple[ComponentId, Action, ComponentId | str], Decision] = attrs.field(factory=dict, init=False)

    def grant(self, id: ComponentId, capabilities: Capabilities, expires_at: float | None = None) -> None:  # noqa: A002 - the stable name
        """Permit more to a component, from the next decision on; what it holds already stays.

        Args:
            id: the component; it need not be loaded yet.
            capabilities: what it may do in addition.
            expires_at: the last second at which this grant holds, on the clock of `now`; None for good.
        """
        self._known.clear()
        self._grants[id] = (*self._grants.get(id, ()), Grant(capabilities, expires_at))
        doors = self._doors.get(id, ())
        if capabilities.receive_from != ("*",) and all(
            door.receive_from != capabilities.receive_from for door in doors
        ):
            self._doors[id] = (*doors, capabilities)

    def revoke(self, id: ComponentId) -> None:  # noqa: A002 - the stable name
        """Take every permission of a component back, from the next decision on; silent when it has none."""
        self._known.clear()
        self._grants.pop(id, None)

    def forget(self, id: ComponentId) -> None:  # noqa: A002 - the stable name
        """Drop all that is known of a component that is gone, its `receive_from` too."""
        self._known.clear()
        self._grants.pop(id, None)
        self._doors.pop(id, None)

    def grants(self, id: ComponentId) -> tuple[Grant, ...]:  # noqa: A002 - the stable name
        """What a component holds, oldest first; expired grants stay listed until they are met in a decision."""
        return self._grants.get(id, ())

    def authorise_message(
        self,
        sender: ComponentId,
        action: MessageAction,
        target: ComponentId,
        now: float,
        message: ComponentMessage | None = None,
    ) -> None:
        """Let a message pass, or say who may not send it.

        Raises:
            CapabilityDenied: No grant of the sender permits it, or the target does not receive from the sender.
        """
        decision = self._decide(sender, action, target, now)
        if not decision.granted:
            raise CapabilityDenied(sender, action, decision.resource, message, reason=decision.reason)

    def check(self, sender: ComponentId, action: Action, resource: ComponentId | str, now: float) -> Decision:
        """Decide, without raising: `resource` is the target of a message, or a storage key."""
        return self._decide(sender, action, resource, now)

    def reachable(self, sender: ComponentId, candidates: Iterable[ComponentId], now: float) -> list[ComponentId]:
        """Those of the candidates that the sender may send to, in their order; a question, not a decision."""
        return [target for target in candidates if self._judge(sender, "send", target, str(target), now)[0]]

    def _decide(self, sender: ComponentId, action: Action, resource: ComponentId | str, now: float) -> Decision:
        """The only place where a decision is made: what has to see every one belongs here."""
        known = self._known.get((sender, action, resource))
        if known is not None:
            return known
        text = str(resource)
        granted, reason = self._judge(sender, action, resource, text, now)
        decision = Decision(granted, reason, sender, action, text)
        if isinstance(resource, ComponentId) and not any(grant.expires_at is not None for grant in self.grants(sender)):
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[sender, action, resource] = decision
        return decision

    def _judge(
        self, sender: ComponentId, action: Action, resource: ComponentId | str, text: str, now: float
    ) -> tuple[bool, str]:
        if sender.namespace == HOST_NAMESPACE:
            return True, HOST_REASON
        granted, reason = self._granted(sender, action, text, now)
        if granted and isinstance(resource, ComponentId):
            for door in self._doors.get(resource, ()):
                if door.admits(str(sender)) is None:
                    return False, f"{text} does not receive from {sender}"
        return granted, reason

    def _granted(self, sender: ComponentId, action: Action, text: str, now: float) -> tuple[bool, str]:
        grants = self._grants.get(sender, ())
        held = tuple(grant for grant in grants if not grant.expired(now))
        if len(held) < len(grants):
            self._grants[sender] = held
        for grant in held:
            if (found := grant.capabilities.permits(action, text)) is not None:
                return True, found
        return False, NO_GRANT
