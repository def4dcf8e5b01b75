from typing import Any

import pytest

from airssys_wasm.core.errors import ConfigError, PolicyViolation
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.security.capabilities import Capabilities
from airssys_wasm.security.explain import Clause, Explanation, Unmatched
from airssys_wasm.security.guard import Guard
from airssys_wasm.security.policy import Effect, Policy, Rule

A, B, C = (ComponentId("n", name, "0") for name in "abc")
LOCKDOWN = Policy("lockdown", [Rule("n/b/*", "*", "*", "deny"), Rule("*", "send", "n/c/*", "deny")])


def test_an_explanation_has_each_grant_revocation_and_rule() -> None:
    """In the order in which they were made or are asked."""
    guard = Guard([LOCKDOWN])
    guard.grant(A, Capabilities(send=["*"], storage=["read"], receive_from=["n/b/*"]))
    guard.grant(A, Capabilities(request=["n/b/0"]), expires_at=60.0)
    guard.revoke(A, Capabilities(broadcast=["n/b/*"]))
    assert guard.explain(A) == Explanation(
        A,
        held=(
            Clause(Effect.ALLOW, "send", "*", "grant"),
            Clause(Effect.ALLOW, "storage.read", "its own storage", "grant"),
            Clause(Effect.ALLOW, "request", "n/b/0", "grant", 60.0),
            Clause(Effect.DENY, "broadcast", "n/b/*", "revoked"),
        ),
        rules=(Clause(Effect.DENY, "send", "n/c/*", 'policy "lockdown", rule 2'),),
        receives_from=(("n/b/*",),),
    )


def test_an_explanation_reads_as_text() -> None:
    """One line for each fact, with its source and its end."""
    guard = Guard([LOCKDOWN])
    guard.grant(A, Capabilities(send=["n/b/*"], storage=["write"], receive_from=["n/b/*"]), expires_at=60.0)
    assert str(guard.explain(A)).splitlines() == [
        "n/a/0",
        '  may send "n/b/*" until 1970-01-01T00:01:00.000+00:00 (grant)',
        "  may storage.write its own storage until 1970-01-01T00:01:00.000+00:00 (grant)",
        '  may not send "n/c/*" (policy "lockdown", rule 2)',
        '  receives only from ["n/b/*"]',
    ]
    assert ["n/c/0", "  may do nothing", '  may not send "n/c/*" (policy "lockdown", rule 2)'] == str(
        guard.explain(C)
    ).splitlines()


def test_what_has_expired_explains_nothing() -> None:
    """When the time is told; what restricts stays."""
    guard = Guard()
    guard.grant(A, Capabilities(send=["*"], receive_from=[]), expires_at=1.0)
    assert 1 == len(guard.explain(A, 1.0).held)
    assert Explanation(A, receives_from=((),)) == guard.explain(A, 1.1)
    assert 1 == len(guard.explain(A).held)


def test_what_is_foreseen_is_decided_so() -> None:
    """With the grant or the rule that decides."""
    guard = Guard([LOCKDOWN])
    guard.grant(A, Capabilities(send=["n/*"]))
    for target in (B, C):
        assert guard.foresee(A, "send", target, 0.0) == guard.check(A, "send", target, 0.0)
    assert ("grant n/*", None) == (guard.foresee(A, "send", B, 0.0).reason, guard.foresee(A, "send", B, 0.0).rule)
    assert 'policy "lockdown", rule 2' == guard.foresee(A, "send", C, 0.0).rule


def test_a_pattern_that_matches_nobody_is_told_once() -> None:
    """With the pattern that was probably meant; of policies too, since such a rule protects nobody."""
    guard = Guard([Policy("p", [Rule("n/gone/*", "*", "n/a", "deny")])])
    guard.grant(A, Capabilities(send=["n/b", "n/b/*", "*"], request=["n/x/*"], receive_from=["*.eu"]))
    guard.grant(A, Capabilities(request=["n/x/*"], storage=["read"]))
    assert guard.unmatched([A, B]) == [
        Unmatched("n/a/0", "send", "n/b", "n/b/*"),
        Unmatched("n/a/0", "request", "n/x/*"),
        Unmatched("n/a/0", "receive_from", "*.eu"),
        Unmatched('policy "p", rule 1', "component", "n/gone/*"),
        Unmatched('policy "p", rule 1', "resource", "n/a", "n/a/*"),
    ]
    assert 'n/a/0: send "n/b" matches no component; "n/b/*" would' == str(guard.unmatched([A, B])[0])
    assert 'n/a/0: request "n/x/*" matches no component' == str(guard.unmatched([A, B])[1])


def test_patterns_that_match_somebody_are_not_told() -> None:
    """One component is enough, the holder too; everything is never wrong."""
    guard = Guard([LOCKDOWN])
    guard.grant(A, Capabilities(send=["n/a/0", "n/b/*"], broadcast=["*"]))
    assert [] == guard.unmatched(iter([A, B, C]))


def test_a_policy_stops_what_was_allowed_a_moment_ago() -> None:
    """The error names the rule and carries the message."""
    guard, message = Guard(), ComponentMessage(A, b"x")
    guard.grant(A, Capabilities(send=["*"]))
    guard.authorise_message(A, "send", C, 0.0, message)
    guard.add_policy(LOCKDOWN)
    with pytest.raises(PolicyViolation) as caught:
        guard.authorise_message(A, "send", C, 0.0, message)
    assert 'policy "lockdown", rule 2 forbids n/a/0 to send n/c/0' == str(caught.value)
    assert message is caught.value.message


def test_without_a_grant_the_answer_does_not_tell_of_a_policy() -> None:
    """Who may do nothing learns nothing of what is forbidden to others."""
    assert Guard().check(A, "send", C, 0.0) == Guard([LOCKDOWN]).check(A, "send", C, 0.0)


def test_policies_do_not_bind_host_code() -> None:
    """It could take them away."""
    guard = Guard([Policy("p", [Rule("*", "*", "*", "deny")])])
    guard.authorise_message(ComponentId("host", "app", "0"), "send", A, 0.0)


@pytest.mark.parametrize("policies", [LOCKDOWN, "p", None, [Rule("*", "*", "*", "deny")], [LOCKDOWN, LOCKDOWN]])
def test_a_guard_takes_a_list_of_differently_named_policies(policies: Any) -> None:
    """The name is how one is recognised in the trail."""
    with pytest.raises(ConfigError, match=r"^policies "):
        Guard(policies)


def test_a_second_policy_of_the_same_name_is_refused() -> None:
    """The first one stays."""
    guard = Guard([LOCKDOWN])
    with pytest.raises(ConfigError, match=r"^policies has two policies of this name: 'lockdown'"):
        guard.add_policy(Policy("lockdown", []))
    assert 1 == len(guard.explain(A).rules)
