"""What a pipeline file says on policies, the audit file and topics: as values, and all that is wrong with it."""

from pathlib import Path
from textwrap import dedent

import pytest

from airssys_wasm.core.problems import Problem
from airssys_wasm.security.policy import Policy, Rule
from airssys_wasm.system.pipeline_file import Draft, parse_pipeline
from airssys_wasm.system.pipeline_spec import RouteSpec, SubscribeSpec

RULE = '{component = "*", action = "send", resource = "*", effect = "deny"}'


def parse(text: str) -> Draft:
    """Read a text as p.toml."""
    return parse_pipeline(dedent(text), Path("/etc/pipelines/p.toml"))


def problems(text: str) -> list[str]:
    """What is wrong with a text, without the name of the file."""
    return [str(problem).removeprefix("p.toml: ") for problem in parse(text).problems]


def test_every_key_reaches_the_spec() -> None:
    """Rules inline or as tables; the audit file is relative to the pipeline's own."""
    draft = parse(f"""
        [pipeline]
        audit = "log/audit.jsonl"
        [[policy]]
        name = "one"
        rules = [{RULE}, {{component = "x/a/*", action = "storage.write", resource = "x/a/0", effect = "allow"}}]
        [[policy]]
        name = "two"
        [[policy.rules]]
        component = "x/b/0"
        action = "*"
        resource = "*.y"
        effect = "deny"
        [[route]]
        from = "in"
        to = "topic:orders.new"
        [[subscribe]]
        topic = "orders.*"
        to = "x/a"
        """)
    assert () == draft.problems
    assert Path("/etc/pipelines/log/audit.jsonl") == draft.spec.audit
    assert (
        Policy("one", [Rule("*", "send", "*", "deny"), Rule("x/a/*", "storage.write", "x/a/0", "allow")]),
        Policy("two", [Rule("x/b/0", "*", "*.y", "deny")]),
    ) == draft.spec.policies
    assert (RouteSpec("in", "topic:orders.new"),) == draft.spec.routes
    assert "orders.new" == draft.spec.routes[0].topic
    assert (SubscribeSpec("orders.*", "x/a"),) == draft.spec.subscriptions


def test_all_mistakes_are_reported_at_once() -> None:
    """Each with table and key."""
    text = f"""
        [pipeline]
        audit = ""
        [[policy]]
        rules = [{{component = "host/x/0", action = "read", effect = "never", resorce = "*"}}, {RULE}]
        [[policy]]
        name = "p"
        rules = []
        [[policy]]
        name = "p"
        rule = 1
        [[route]]
        from = "in"
        to = "topic:orders.*"
        [[subscribe]]
        topic = "orders.#.new"
        to = ""
        frm = "x"
        """
    expected = [
        "[pipeline]: audit: is no path: ''",
        "[[route]] in: to: has a wild card; * and # are for subscriptions: 'orders.*'",
        "[[subscribe]] orders.#.new: to: is empty",
        "[[subscribe]] orders.#.new: topic: has a # before its end: 'orders.#.new'",
        "[[subscribe]] orders.#.new: frm: is unknown; known are topic, to",
        "[[policy]] #1: name: is missing",
        "[[policy]] #1 [[rules]] #1: component: names host code, to which policies do not apply: 'host/x/0'",
        (
            '[[policy]] #1 [[rules]] #1: action: is not one of "*", "send", "request", "broadcast", "storage.read", '
            "\"storage.write\": 'read'"
        ),
        '[[policy]] #1 [[rules]] #1: effect: is not one of "allow", "deny": \'never\'',
        "[[policy]] #1 [[rules]] #1: resource: is missing",
        '[[policy]] #1 [[rules]] #1: resorce: is unknown; did you mean "resource"?',
        "[[policy]] p: rules: is empty; a policy without rules forbids nothing",
        "[[policy]] p: rules: is missing",
        '[[policy]] p: rule: is unknown; did you mean "rules"?',
        "[[policy]] p: name: is the name of an earlier policy",
    ]
    assert sorted(expected) == sorted(problems(text))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('[[policy]]\nname = "p"\nrules = "deny"', "[[policy]] p: rules: is a string, not an array"),
        (
            '[[policy]]\nname = "p"\nrules = ["deny"]',
            "[[policy]] p: rules: is an array of strings; write [[rules]] tables",
        ),
        (
            f'[[policy]]\nname = "\\u001b"\nrules = [{RULE}]',
            "[[policy]] \x1b: name: is not a printable, non-empty str: '\\x1b'",
        ),
        ('[[subscribe]]\ntopic = "a..b"\nto = "x/a"', "[[subscribe]] a..b: topic: has an empty segment: 'a..b'"),
        ('[[route]]\nfrom = "in"\nto = "topic:"', "[[route]] in: to: has an empty segment: ''"),
        ('[pipeline]\naudit = "a\\u0000"', "[pipeline]: audit: is no path: 'a\\x00'"),
        ("[pipeline]\naudit = true", "[pipeline]: audit: is a boolean, not a string"),
    ],
)
def test_each_mistake_has_one_line(line: str, expected: str) -> None:
    """One mistake, one problem."""
    assert [expected] == problems(line)


def test_a_rule_that_is_wrong_in_one_key_is_wrong_there_only() -> None:
    """The good keys beside it are not blamed."""
    for key, value in {"component": "a*", "resource": "", "action": "*.*", "effect": "Deny"}.items():
        rule = {"component": "*", "action": "*", "resource": "*", "effect": "deny", key: value}
        entries = ", ".join(f'{name} = "{word}"' for name, word in rule.items())
        found = parse(f'[[policy]]\nname = "p"\nrules = [{{{entries}}}]').problems
        assert [Problem("p.toml", "[[policy]] p [[rules]] #1", key, found[0].text)] == list(found)
