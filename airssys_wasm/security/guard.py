"""The one choke point: who holds which grant, and may it (`now` is the caller's clock and never goes back)."""

import math
from collections.abc import Iterable
from functools import partial
from typing import Final, final

import attrs

from airssys_wasm.core.errors import CapabilityDenied, ConfigError, PolicyViolation
from airssys_wasm.core.ids import HOST_NAMESPACE, ComponentId
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.security.audit import Audit
from airssys_wasm.security.capabilities import Action, Capabilities, MessageAction, StorageAction
from airssys_wasm.security.decision import Decision
from airssys_wasm.security.explain import (
    Explanation,
    Unmatched,
    held_clauses,
    rule_clauses,
    unmatched_in_grants,
    unmatched_in_policies,
)
from airssys_wasm.security.grants import Grant, Holdings, Permission, Revocation
from airssys_wasm.security.learn import Learner
from airssys_wasm.security.policy import Policy, forbidden_by, listed

HOST_REASON: Final = "host code needs no grant"
NO_GRANT: Final = "no grant permits it"
LEARNING: Final = "learning, no grant permits it"

_NOTHING: Final = Holdings()
_MOST_KNOWN: Final = 4096
"""Decisions kept until the next change of a grant: some 1 MB, enough for the pairs that talk often."""


def _policies(values: Iterable[Policy]) -> tuple[Policy, ...]:
    policies = listed(Policy, "policies", values)
    names = set[str]()
    for policy in policies:
        if policy.name in names:
            raise ConfigError("policies", policy.name, "has two policies of this name")
        names.add(policy.name)
    return policies


@final
@attrs.define(eq=False)
class Guard:
    """Grants by component, policies for all, and the decisions that follow from them.

    | asked in this order | who is refused |
    |---|---|
    | has a grant of the component that permits it, not expired, not revoked since? | `CapabilityDenied`; else: |
    | does a policy's first matching rule deny it? | `PolicyViolation`; else: |
    | does each `receive_from` of the target admit the component? (messages only) | `CapabilityDenied` |

    So who has no grant gets the same answer whatever else is there, the target included. Grants add up. Expiry and
    `revoke` only ever take away: `receive_from` goes on to restrict until the component is forgotten.

    Host code is trusted and not asked: senders in the namespace "host" need no grant, and neither policies nor
    `receive_from` apply to them. Their messages are no decisions and are not audited. Every other call of an
    `authorise…` or of `check` is one decision and gives one audit entry; `foresee` and `reachable` are questions and
    give none.

    Not for several threads at a time.

    Args:
        policies: asked in their order; their names differ.
        audit: gets every decision; None for nobody.
        learner: permits what no grant permits, and remembers what was used; None outside learn mode.

    Raises:
        ConfigError: policies is no list of them, or two have one name.
    """

    _policies: tuple[Policy, ...] = attrs.field(default=(), converter=_policies)
    _audit: Audit | None = None
    _learner: Learner | None = None
    _held: dict[ComponentId, Holdings] = attrs.field(factory=dict, init=False)
    _doors: dict[ComponentId, tuple[Capabilities, ...]] = attrs.field(factory=dict, init=False)
    _known: dict[tuple[ComponentId, Action, ComponentId], tuple[Decision, float]] = attrs.field(
        factory=dict, init=False
    )

    def add_policy(self, policy: Policy) -> None:
        """Ask one more policy, from the next decision on.

        Raises:
            ConfigError: It is none, or another has its name.
        """
        self._policies = _policies((*self._policies, policy))
        self._known.clear()

    def grant(self, id: ComponentId, capabilities: Capabilities, expires_at: float | None = None) -> None:  # noqa: A002 - the stable name
        """Permit more to a component, from the next decision on; what it holds already stays.

        Args:
            id: the component; it need not be loaded yet.
            capabilities: what it may do in addition; a `receive_from` restricts further who reaches it.
            expires_at: the last second at which this grant holds, on the clock of `now`; None for good.

        Raises:
            ConfigError: capabilities are none, or expires_at is not a finite number.
        """
        self._held[id] = self._held.get(id, _NOTHING).adding(Grant(capabilities, expires_at))
        self._known.clear()
        doors = self._doors.get(id, ())
        if capabilities.receive_from != ("*",) and all(
            door.receive_from != capabilities.receive_from for door in doors
        ):
            self._doors[id] = (*doors, capabilities)

    def revoke(self, id: ComponentId, capabilities: Capabilities | None = None) -> None:  # noqa: A002 - the stable name
        """Take permissions of a component back, from the next decision on; silent when it has none.

        Args:
            id: the component.
            capabilities: nothing that they name is permitted until it is granted anew, also where an older grant says
                it in a wider pattern; None for everything.

        Raises:
            ConfigError: capabilities are none, or name `receive_from`, which permits nothing.
        """
        if capabilities is None:
            self._held.pop(id, None)
        elif (held := self._held.get(id, _NOTHING).adding(Revocation(capabilities))).entries:
            self._held[id] = held
        self._known.clear()

    def forget(self, id: ComponentId) -> None:  # noqa: A002 - the stable name
        """Drop all that is known of a component that is gone, its `receive_from` too."""
        self._held.pop(id, None)
        self._doors.pop(id, None)
        self._known.clear()

    def grants(self, id: ComponentId) -> tuple[Grant, ...]:  # noqa: A002 - the stable name
        """What a component was granted, oldest first; expired grants stay listed until they are met in a decision."""
        return self._held.get(id, _NOTHING).grants

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
            PolicyViolation: A policy denies it.
        """
        decision = self._decide(sender, action, target, now)
        if not decision.granted:
            raise _refusal(decision, message)

    def authorise_storage(self, component: ComponentId, action: StorageAction, now: float) -> None:
        """Let a component use its own storage, or say why it may not.

        Raises:
            CapabilityDenied: No grant permits it.
            PolicyViolation: A policy denies it.
        """
        decision = self._decide(component, "storage.read" if action == "read" else "storage.write", component, now)
        if not decision.granted:
            raise _refusal(decision, None)

    def check(self, component: ComponentId, action: Action, resource: ComponentId, now: float) -> Decision:
        """Decide, without raising: `resource` is the target of a message, for storage the component itself."""
        return self._decide(component, action, resource, now)

    def foresee(self, component: ComponentId, action: Action, resource: ComponentId, now: float) -> Decision:
        """Say what would be decided; a question, neither audited nor learned from."""
        return self._judge(component, action, resource, now)[0]

    def reachable(self, sender: ComponentId, candidates: Iterable[ComponentId], now: float) -> list[ComponentId]:
        """Those of the candidates that the sender may send to, in their order; a question, as `foresee`."""
        granted = any(grant.capabilities.send for grant in self.grants(sender))
        if not granted and self._learner is None and sender.namespace != HOST_NAMESPACE:
            return []  # at once, however many candidates there are
        return [target for target in candidates if self.foresee(sender, "send", target, now).granted]

    def explain(self, id: ComponentId, now: float | None = None) -> Explanation:  # noqa: A002 - the stable name
        """Say all that decides what a component may do; with `now`, without what has expired by then."""
        held = self._held.get(id, _NOTHING)
        doors = tuple(door.receive_from for door in self._doors.get(id, ()))
        clauses = held_clauses(held if now is None else held.at(now))
        return Explanation(id, clauses, rule_clauses(self._policies, str(id)), doors)

    def unmatched(self, known_ids: Iterable[ComponentId]) -> list[Unmatched]:
        """The patterns of grants and rules that match none of the known ids; give those of served host code too."""
        known = sorted(map(str, known_ids))
        found = [
            item
            for id in sorted(self._held)  # noqa: A001 - as everywhere here
            for grant in self._held[id].grants
            for item in unmatched_in_grants(str(id), grant.capabilities, known)
        ]
        return [*dict.fromkeys([*found, *unmatched_in_policies(self._policies, known)])]

    def _decide(self, component: ComponentId, action: Action, resource: ComponentId, now: float) -> Decision:
        """The only place where a decision is made: what has to see every one belongs here."""
        known = self._known.get((component, action, resource))
        if known is None or now > known[1]:
            known = self._judge(component, action, resource, now)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[component, action, resource] = known
            if self._learner is not None and known[0].granted and component.namespace != HOST_NAMESPACE:
                self._learner.record(component, action, known[0].resource)
        if self._audit is not None and component.namespace != HOST_NAMESPACE:
            self._audit.record(known[0], now)
        return known[0]

    def _judge(
        self, component: ComponentId, action: Action, resource: ComponentId, now: float
    ) -> tuple[Decision, float]:
        """The decision, and the last second at which it holds if nothing changes."""
        who, what = str(component), str(resource)
        decided = partial(Decision, component=component, action=action, resource=what)
        if component.namespace == HOST_NAMESPACE:
            return decided(granted=True, reason=HOST_REASON), math.inf
        permission = self._permission(component, action, what, now)
        if permission is None:
            return decided(granted=False, reason=NO_GRANT), math.inf
        rule = forbidden_by(self._policies, who, action, what)
        if rule is not None:
            return decided(granted=False, reason=f"{rule} forbids it", rule=rule), permission.until
        if not self._admitted(who, action, resource):
            return decided(granted=False, reason=f"{what} does not receive from {who}"), permission.until
        return decided(granted=True, reason=permission.reason), permission.until

    def _permission(self, component: ComponentId, action: Action, resource: str, now: float) -> Permission | None:
        held = self._held.get(component)
        if held is not None:
            current = held.at(now)
            if current is not held:
                self._held[component] = current
            if (found := current.permission(action, resource)) is not None:
                return found
        return None if self._learner is None else Permission(LEARNING)

    def _admitted(self, component: str, action: Action, target: ComponentId) -> bool:
        if action.startswith("storage."):
            return True
        return all(door.admits(component) is not None for door in self._doors.get(target, ()))


def _refusal(decision: Decision, message: ComponentMessage | None) -> CapabilityDenied | PolicyViolation:
    who, action, what = decision.component, decision.action, decision.resource
    if decision.rule is not None:
        return PolicyViolation(who, action, what, decision.rule, message)
    return CapabilityDenied(who, action, what, message, reason=decision.reason)
