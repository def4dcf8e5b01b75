"""What is forbidden whoever was granted it: policies, each an ordered list of rules (pure)."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, TypeVar, final

import attrs

from airssys_wasm.core.config import one_of
from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.ids import HOST_NAMESPACE
from airssys_wasm.security.capabilities import ACTIONS, Action, Pattern, check_pattern

Item = TypeVar("Item")

_COVERED: Final[dict[str, frozenset[str]]] = {
    "*": frozenset(ACTIONS),
    "send": frozenset({"send", "request", "broadcast"}),
    **{action: frozenset({action}) for action in ACTIONS if action != "send"},
}


class Effect(StrEnum):
    """What a rule says of the actions that it matches; `allow` grants nothing, it ends the search in its policy."""

    ALLOW = "allow"
    DENY = "deny"


def _effect(value: object) -> Effect:
    return one_of(Effect, "effect", value)


def _component_pattern(text: str) -> str:
    if check_pattern("component", text).startswith(f"{HOST_NAMESPACE}/"):
        raise ConfigError("component", text, "names host code, to which policies do not apply")
    return text


def _resource_pattern(text: str) -> str:
    return check_pattern("resource", text)


def _check_action(_instance: "Rule", _attribute: "attrs.Attribute[str]", value: object) -> None:
    if not isinstance(value, str) or value not in _COVERED:
        choices = ", ".join(f'"{action}"' for action in _COVERED)
        raise ConfigError("action", value, f"is not one of {choices}")


@final
@attrs.frozen
class Rule:
    """One line of a policy: which components, doing what, to which resources, and whether they may.

    | action | means |
    |---|---|
    | `send` | send, request and broadcast, as in a grant |
    | `request`, `broadcast` | only themselves |
    | `storage.read`, `storage.write` | only themselves |
    | `*` | every one of them |

    `component` and `resource` are patterns of printed ids: the target of a message; for storage, whose it is, which is
    the component itself.

    Raises:
        ConfigError: A field is wrong; the error names it.
    """

    component: str = attrs.field(converter=_component_pattern)
    action: str = attrs.field(validator=_check_action)
    resource: str = attrs.field(converter=_resource_pattern)
    effect: Effect = attrs.field(converter=_effect)
    _who: Pattern = attrs.field(init=False, eq=False, repr=False)
    _what: Pattern = attrs.field(init=False, eq=False, repr=False)

    @_who.default
    def _compile_component(self) -> Pattern:
        return Pattern(self.component)

    @_what.default
    def _compile_resource(self) -> Pattern:
        return Pattern(self.resource)

    def concerns(self, component: str) -> bool:
        """Whether it says anything of this component."""
        return self._who.matches(component)

    def matches(self, component: str, action: Action, resource: str) -> bool:
        """Whether it says anything of this action."""
        return action in _COVERED[self.action] and self._who.matches(component) and self._what.matches(resource)


def _name(value: str) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ConfigError("name", value, "is not a printable, non-empty str")
    return value


def listed(kind: type[Item], field: str, values: object) -> tuple[Item, ...]:
    """Take a list of things of one kind as a tuple.

    Raises:
        ConfigError: It is no list, or not all of them are of the kind; the error names the field.
    """
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise ConfigError(field, values, f"is {type(values).__name__}, where a list belongs")
    items = tuple(values)
    for item in items:
        if not isinstance(item, kind):
            raise ConfigError(field, item, f"has an item that is not a {kind.__name__}")
    return items


def _rules(values: Iterable[Rule]) -> tuple[Rule, ...]:
    return listed(Rule, "rules", values)


@final
@attrs.frozen
class Policy:
    """Named, ordered rules: the first that matches decides for the policy; when none does, it has no objection.

    Raises:
        ConfigError: The name is empty, or rules is not a list of `Rule`.
    """

    name: str = attrs.field(converter=_name)
    rules: tuple[Rule, ...] = attrs.field(converter=_rules)

    def deciding(self, component: str, action: Action, resource: str) -> int | None:
        """The index of the rule that decides; None when no rule matches."""
        for index, rule in enumerate(self.rules):
            if rule.matches(component, action, resource):
                return index
        return None

    def label(self, index: int) -> str:
        """How errors, the audit trail and explanations name a rule."""
        return f'policy "{self.name}", rule {index + 1}'


def forbidden_by(policies: Iterable[Policy], component: str, action: Action, resource: str) -> str | None:
    """Ask all policies; one that denies is enough.

    Returns:
        The label of the first policy's rule that denies; None when nobody objects.
    """
    for policy in policies:
        index = policy.deciding(component, action, resource)
        if index is not None and policy.rules[index].effect is Effect.DENY:
            return policy.label(index)
    return None
