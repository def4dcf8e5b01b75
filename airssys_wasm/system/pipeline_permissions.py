"""What a pipeline file grants and forbids, as values, with all that is wrong in it (pure)."""

from collections.abc import Mapping
from typing import Any, Final

from airssys_wasm.security.capabilities import Capabilities
from airssys_wasm.security.policy import Effect, Policy, Rule
from airssys_wasm.system.pipeline_table import Table

_GRANTS: Final = ("send", "request", "broadcast", "receive_from", "storage")
_RULE: Final[Mapping[str, str]] = {"component": "*", "action": "*", "resource": "*", "effect": Effect.DENY}
"""The keys of a rule, all of which have to be there, and good values, with which each can be checked alone."""


def read_capabilities(table: Table) -> dict[str, Any]:
    """The fields of `Capabilities` that are there and good."""
    good = table.checked(_GRANTS, lambda name, value: Capabilities(**{name: value}))
    table.finish()
    return good


def together(own: Mapping[str, Any], shared: Mapping[str, Any]) -> Capabilities | None:
    """What the component's own table and `[pipeline.grants]` give together; None when neither gives anything."""
    patterns: dict[str, Any] = {
        name: [*own.get(name, ()), *shared.get(name, ())] for name in own.keys() | shared.keys()
    }
    return Capabilities(**patterns) if patterns else None


def read_policies(root: Table) -> tuple[Policy, ...]:
    """All `[[policy]]` tables, in their order, which is the one in which they are asked."""
    policies: list[Policy] = []
    names = set[str]()
    for table in root.tables("policy", "name"):
        name = table.text("name")
        if name in names:
            table.note("name", "is the name of an earlier policy")
        names |= {name} - {""}
        policies += _policy(table, name)
    return tuple(policies)


def _policy(table: Table, name: str) -> list[Policy]:
    """One policy; none when it cannot be made."""
    rules = [rule for entry in table.tables("rules", "", required=True) if (rule := _rule(entry)) is not None]
    if table.values.get("rules") == []:
        table.note("rules", "is empty; a policy without rules forbids nothing")
    table.finish()
    return table.built(lambda: [Policy(name, rules)], []) if name else []


def _rule(table: Table) -> Rule | None:
    """One rule; None when anything is wrong with it."""
    good = table.checked(tuple(_RULE), lambda name, value: Rule(**{**_RULE, name: value}))
    for key in _RULE:
        if key not in table.values:
            table.note(key, "is missing")
    table.finish()
    return Rule(**good) if good.keys() == _RULE.keys() else None
