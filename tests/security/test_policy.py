from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.core.errors import ConfigError
from airssys_wasm.security.capabilities import ACTIONS, Action, Pattern
from airssys_wasm.security.policy import Effect, Policy, Rule, forbidden_by

NAMES = ["n/a/0", "n/ab/0", "n/b/0"]
PATTERNS = st.sampled_from(["*", "n/a/*", "n/ab/0", "n/b/*", "*.x"])
RULES = st.builds(
    Rule, PATTERNS, st.sampled_from(["*", *ACTIONS]), PATTERNS, st.sampled_from(["allow", "deny", Effect.DENY])
)
POLICIES = st.lists(st.lists(RULES, max_size=4), max_size=3).map(
    lambda lists: [Policy(f"p{number}", rules) for number, rules in enumerate(lists)]
)
QUESTIONS = st.tuples(st.sampled_from(NAMES), st.sampled_from(ACTIONS), st.sampled_from(NAMES))

DENY_ALL = Rule("*", "*", "*", "deny")
ALLOW_ALL = Rule("*", "*", "*", "allow")


def _forbidden(rules: list[Rule], action: Action, component: str = "n/a/0", resource: str = "n/b/0") -> bool:
    return forbidden_by([Policy("p", rules)], component, action, resource) is not None


def _oracle(policies: list[Policy], component: str, action: Action, resource: str) -> str | None:
    """The rule of the contract, without a stop at the first match."""
    for policy in policies:
        matching = [
            (number, rule.effect)
            for number, rule in enumerate(policy.rules, 1)
            if Pattern(rule.component).matches(component)
            and Pattern(rule.resource).matches(resource)
            and (rule.action in {"*", action} or (rule.action == "send" and action in {"request", "broadcast"}))
        ]
        if matching and matching[0][1] == "deny":
            return f'policy "{policy.name}", rule {matching[0][0]}'
    return None


@given(POLICIES, QUESTIONS)
def test_policies_decide_like_the_naive_oracle(policies: list[Policy], question: tuple[str, Action, str]) -> None:
    """First match in each policy; one that denies is enough."""
    assert _oracle(policies, *question) == forbidden_by(policies, *question)


@given(POLICIES, QUESTIONS)
def test_the_order_of_policies_does_not_matter(policies: list[Policy], question: tuple[str, Action, str]) -> None:
    """Only which one is named."""
    forbidden = forbidden_by(policies, *question) is None
    assert forbidden == (forbidden_by(reversed(policies), *question) is None)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("send", {"send", "request", "broadcast"}),
        ("request", {"request"}),
        ("broadcast", {"broadcast"}),
        ("storage.read", {"storage.read"}),
        ("storage.write", {"storage.write"}),
        ("*", set(ACTIONS)),
    ],
)
def test_a_rule_for_send_cannot_be_got_around_by_request(said: str, meant: set[str]) -> None:
    """What permits them together forbids them together."""
    assert meant == {action for action in ACTIONS if _forbidden([Rule("*", said, "*", "deny")], action)}


def test_the_first_matching_rule_decides() -> None:
    """A rule below a matching one is not asked; one that does not match is passed over."""
    assert not _forbidden([ALLOW_ALL, DENY_ALL], "send")
    assert _forbidden([DENY_ALL, ALLOW_ALL], "send")
    assert _forbidden([Rule("n/x/*", "*", "*", "allow"), DENY_ALL], "send")
    assert not _forbidden([Rule("*", "request", "*", "allow"), Rule("*", "send", "*", "deny")], "request")
    assert _forbidden([Rule("*", "request", "*", "allow"), Rule("*", "send", "*", "deny")], "broadcast")


def test_one_policy_that_denies_is_enough() -> None:
    """Whatever the others allow, before it and after it."""
    policies = [
        Policy("open", [ALLOW_ALL]),
        Policy("closed", [DENY_ALL]),
        Policy("wide", [ALLOW_ALL]),
    ]
    assert 'policy "closed", rule 1' == forbidden_by(policies, "n/a/0", "send", "n/b/0")


def test_a_policy_without_a_matching_rule_has_no_objection() -> None:
    """Nor has one without rules."""
    assert not _forbidden([], "send")
    assert not _forbidden([Rule("n/x/*", "*", "*", "deny")], "send")


def test_a_neighbour_with_the_name_as_its_prefix_is_not_meant() -> None:
    """On either side of the rule."""
    assert not _forbidden([Rule("n/a/*", "*", "*", "deny")], "send", component="n/ab/0")
    assert not _forbidden([Rule("*", "*", "n/a/*", "deny")], "send", resource="n/ab/0")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("component", "a*"),
        ("component", ""),
        ("component", None),
        ("component", ["*"]),
        ("component", "host/app/0"),
        ("component", "host/*"),
        ("resource", "**"),
        ("resource", b"*"),
        ("action", "read"),
        ("action", ""),
        ("action", ["send"]),
        ("effect", "Deny"),
        ("effect", True),
        ("effect", None),
    ],
)
def test_a_wrong_field_is_refused_by_name(field: str, value: Any) -> None:
    """Also a rule about host code, which no policy is asked about."""
    fields: dict[str, Any] = {"component": "*", "action": "*", "resource": "*", "effect": "deny"} | {field: value}
    with pytest.raises(ConfigError) as caught:
        Rule(**fields)
    assert (field, value) == (caught.value.field, caught.value.value)


@pytest.mark.parametrize("rules", ["deny", b"", DENY_ALL, None, 1, {"rules": DENY_ALL}])
def test_rules_are_a_list(rules: Any) -> None:
    """A str is a sequence too, of nothing that is a rule."""
    with pytest.raises(ConfigError, match=r"^rules is .*, where a list belongs"):
        Policy("p", rules)


@pytest.mark.parametrize("item", ["deny", None, [DENY_ALL], {"effect": "deny"}])
def test_every_rule_is_one(item: Any) -> None:
    """The error shows the item."""
    with pytest.raises(ConfigError, match=r"^rules has an item that is not a Rule"):
        Policy("p", [DENY_ALL, item])


@pytest.mark.parametrize("name", ["", None, 1, b"p", "a\nb", "\x1b[2J"])
def test_a_policy_has_a_name_that_can_be_shown(name: Any) -> None:
    """It stands in errors and in the audit trail."""
    with pytest.raises(ConfigError, match=r"^name is not a printable"):
        Policy(name, [])


def test_policies_are_values() -> None:
    """Equal by what they say; any iterable of rules is kept as a tuple; the name of a rule counts from one."""
    assert Policy("p", [DENY_ALL]) == Policy("p", iter((Rule("*", "*", "*", Effect.DENY),)))
    assert 1 == len({Policy("p", [DENY_ALL]), Policy("p", (DENY_ALL,))})
    assert "_who" not in repr(DENY_ALL)
    assert 'policy "p", rule 1' == Policy("p", [DENY_ALL]).label(0)
