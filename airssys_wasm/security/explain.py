"""Who may do what, and because of which grant or rule (pure)."""

from collections.abc import Iterable, Iterator
from typing import Final, final

import attrs

from airssys_wasm.core.ids import ComponentId
from airssys_wasm.security.capabilities import Capabilities, Pattern
from airssys_wasm.security.grants import Grant, Holdings, Revocation
from airssys_wasm.security.policy import Effect, Policy
from airssys_wasm.security.wording import quoted, stamp

_TARGETS: Final = ("send", "request", "broadcast")
_OWN: Final = "its own storage"


@final
@attrs.frozen
class Clause:
    """One thing that a component may or may not do, and because of what.

    `action` is one of a grant's or a rule's, `resource` a pattern; `because` is "grant", "revoked", or the label of a
    policy's rule. A rule that allows is listed too: it shields from later rules of its policy, and grants nothing.
    """

    effect: Effect
    action: str
    resource: str
    because: str
    expires_at: float | None = None

    def __str__(self) -> str:
        verb = "may" if self.effect is Effect.ALLOW else "may not"
        resource = _OWN if self.resource == _OWN else quoted(self.resource)
        until = "" if self.expires_at is None else f" until {stamp(self.expires_at)}"
        return f"{verb} {self.action} {resource}{until} ({self.because})"


@final
@attrs.frozen
class Explanation:
    """All that decides what one component may do.

    An action needs the newest of `held` that names it to say "may", no policy of `rules` whose first matching rule says
    "may not", and to be let in by every list of the target's own `receives_from` (empty: it receives from everybody).
    """

    component: ComponentId
    held: tuple[Clause, ...] = ()
    rules: tuple[Clause, ...] = ()
    receives_from: tuple[tuple[str, ...], ...] = ()

    def __str__(self) -> str:
        doors = [f"receives only from [{', '.join(map(quoted, door))}]" for door in self.receives_from]
        held = [*map(str, self.held)] or ["may do nothing"]
        return "\n  ".join([str(self.component), *held, *map(str, self.rules), *doors])


@final
@attrs.frozen
class Unmatched:
    """A pattern that matches no component there is.

    `holder` is a component's id or the label of a rule, `field` where the pattern stands in it; `meant` is a pattern
    that would match something and that the author may have had in mind, None when there is none.
    """

    holder: str
    field: str
    pattern: str
    meant: str | None = None

    def __str__(self) -> str:
        hint = f"; {quoted(self.meant)} would" if self.meant else ""
        return f"{self.holder}: {self.field} {quoted(self.pattern)} matches no component{hint}"


def held_clauses(holdings: Holdings) -> tuple[Clause, ...]:
    """What a component holds, oldest first."""
    return tuple(clause for entry in holdings.entries for clause in _clauses_of(entry))


def _clauses_of(entry: Grant | Revocation) -> Iterator[Clause]:
    effect, because, expires_at = Effect.DENY, "revoked", None
    if isinstance(entry, Grant):
        effect, because, expires_at = Effect.ALLOW, "grant", entry.expires_at
    for action in _TARGETS:
        for pattern in getattr(entry.capabilities, action):
            yield Clause(effect, action, pattern, because, expires_at)
    for action in entry.capabilities.storage:
        yield Clause(effect, f"storage.{action}", _OWN, because, expires_at)


def rule_clauses(policies: Iterable[Policy], component: str) -> tuple[Clause, ...]:
    """The rules that concern a component, in the order in which they are asked."""
    return tuple(
        Clause(rule.effect, rule.action, rule.resource, policy.label(index))
        for policy in policies
        for index, rule in enumerate(policy.rules)
        if rule.concerns(component)
    )


def unmatched_in_grants(holder: str, capabilities: Capabilities, known: Iterable[str]) -> Iterator[Unmatched]:
    """The patterns of one grant that match none of the known ids."""
    for field in (*_TARGETS, "receive_from"):
        for pattern in getattr(capabilities, field):
            yield from _unmatched(holder, field, pattern, known)


def unmatched_in_policies(policies: Iterable[Policy], known: Iterable[str]) -> Iterator[Unmatched]:
    """The patterns of rules that match none of the known ids: a rule that forbids nothing protects nobody."""
    for policy in policies:
        for index, rule in enumerate(policy.rules):
            yield from _unmatched(policy.label(index), "component", rule.component, known)
            yield from _unmatched(policy.label(index), "resource", rule.resource, known)


def _unmatched(holder: str, field: str, pattern: str, known: Iterable[str]) -> Iterator[Unmatched]:
    if pattern == "*" or _matches_any(pattern, known):
        return
    below = f"{pattern}/*"
    meant = below if "*" not in pattern and _matches_any(below, known) else None
    yield Unmatched(holder, field, pattern, meant)


def _matches_any(pattern: str, known: Iterable[str]) -> bool:
    compiled = Pattern(pattern)
    return any(compiled.matches(text) for text in known)
