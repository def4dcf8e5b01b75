import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.core.errors import CapabilityDenied, PolicyViolation
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.security import learn
from airssys_wasm.security.audit import Audit
from airssys_wasm.security.capabilities import ACTIONS, Action, Capabilities
from airssys_wasm.security.guard import Guard
from airssys_wasm.security.learn import Learner, as_toml, least_grants
from airssys_wasm.security.policy import Policy, Rule
from airssys_wasm.security.sinks import MemorySink

A, B, C = (ComponentId("n", name, "0") for name in "abc")
ODD = ComponentId("n\\", 'a"b', "\u202e[é")
IDS = [A, B, C, ComponentId("n", "a", "1"), ComponentId("n", "ab", "0"), ODD]
USES = st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(ACTIONS), st.sampled_from(IDS)), max_size=20)
Use = tuple[ComponentId, Action, ComponentId]


def _own(component: ComponentId, action: Action, resource: ComponentId) -> Use:
    """Storage is always the component's own."""
    return component, action, component if action.startswith("storage.") else resource


def _learned(uses: list[Use]) -> Learner:
    learner = Learner()
    guard = Guard(learner=learner)
    for use in uses:
        assert guard.check(*_own(*use), 0.0).granted
    return learner


def _permitted(grants: dict[ComponentId, Capabilities]) -> set[Use]:
    guard = Guard()
    for component, capabilities in grants.items():
        guard.grant(component, capabilities)
    everything = {_own(who, action, what) for who in IDS for action in ACTIONS for what in IDS}
    return {use for use in everything if guard.check(*use, 0.0).granted}


@given(USES)
def test_what_was_learned_permits_just_what_was_used(uses: list[Use]) -> None:
    """Send to a target permits the other ways to the same one, as any grant of it does."""
    used = {_own(*use) for use in uses}
    implied: set[Use] = {
        (who, other, what) for who, action, what in used if action == "send" for other in ("request", "broadcast")
    }
    assert used | implied == _permitted(_learned(uses).grants())


@given(USES)
def test_no_pattern_of_what_was_learned_can_be_left_out(uses: list[Use]) -> None:
    """The grants are the least: without any single one, something that was used is refused."""
    grants = _learned(uses).grants()
    used = {_own(*use) for use in uses}
    for component, capabilities in grants.items():
        for field in ("send", "request", "broadcast", "storage"):
            listed = getattr(capabilities, field)
            for item in listed:
                rest: dict[str, Any] = {
                    name: getattr(capabilities, name) for name in ("send", "request", "broadcast", "storage")
                } | {field: [other for other in listed if other != item]}
                assert not used <= _permitted(grants | {component: Capabilities(**rest)})


@given(USES)
def test_the_toml_says_the_same(uses: list[Use]) -> None:
    """Whatever is in the ids; instances of one component share a table."""
    grants = _learned(uses).grants()
    tables = tomllib.loads(as_toml(grants)).get("pipeline", {}).get("grants", {})
    assert sorted({f"{who.namespace}/{who.name}" for who in grants}) == [*tables]
    for name, table in tables.items():
        ours = [held for who, held in grants.items() if f"{who.namespace}/{who.name}" == name]
        told = Capabilities(**table)
        for field in ("send", "storage"):
            assert set(getattr(told, field)) == {item for held in ours for item in getattr(held, field)}
        for action in ("request", "broadcast"):
            for what in IDS:
                expected = any(held.permits(action, str(what)) for held in ours)
                assert expected == (told.permits(action, str(what)) is not None)


@given(USES, st.randoms())
def test_the_order_of_uses_does_not_show(uses: list[Use], random: Any) -> None:
    """Two runs of the same program can be compared."""
    shuffled = list(uses)
    random.shuffle(shuffled)
    assert _learned(uses).toml() == _learned([*shuffled, *uses]).toml()


def test_the_toml_can_be_pasted() -> None:
    """A component a table, nothing that was not used, send instead of the others to the same target."""
    learner = _learned(
        [(B, "storage.write", B), (B, "storage.read", B), (A, "request", B), (A, "send", B), (A, "request", C)]
    )
    assert learner.toml() == (
        '[pipeline.grants."n/a"]\nsend = ["n/b/0"]\nrequest = ["n/c/0"]\n'
        '\n[pipeline.grants."n/b"]\nstorage = ["read", "write"]\n'
    )


def test_instances_that_send_and_request_share_send() -> None:
    """What one of them needs in full, the others need no part of."""
    assert (
        'send = ["n/c/0"]\n'
        == as_toml(
            {A: Capabilities(send=["n/c/0"]), ComponentId("n", "a", "1"): Capabilities(request=["n/c/0"])}
        ).partition("]\n")[2]
    )


def test_without_uses_there_is_nothing_to_grant() -> None:
    """An empty text is valid TOML."""
    assert ({}, "") == (least_grants([]), Learner().toml())


def test_learning_permits_and_says_so_in_the_trail() -> None:
    """What a grant permits anyway is learned too: the grants are the least for a start from nothing."""
    memory, learner = MemorySink(), Learner()
    guard = Guard(audit=Audit(memory), learner=learner)
    guard.grant(A, Capabilities(send=["n/b/*"]))
    guard.authorise_message(A, "send", B, 0.0)
    guard.authorise_message(A, "send", C, 0.0)
    guard.authorise_storage(A, "write", 0.0)
    assert ["grant n/b/*", "learning, no grant permits it", "learning, no grant permits it"] == [
        entry.reason for entry in memory.entries
    ]
    assert {A: Capabilities(send=["n/b/0", "n/c/0"], storage=["write"])} == learner.grants()


def test_learning_lifts_no_prohibition() -> None:
    """No grant of the component's own would have been enough."""
    learner = Learner()
    guard = Guard([Policy("p", [Rule("*", "send", "n/b/*", "deny")])], learner=learner)
    guard.grant(C, Capabilities(receive_from=[]))
    with pytest.raises(PolicyViolation):
        guard.authorise_message(A, "send", B, 0.0)
    with pytest.raises(CapabilityDenied):
        guard.authorise_message(A, "send", C, 0.0)
    assert {} == learner.grants()


def test_questions_and_host_code_teach_nothing() -> None:
    """To be listed is not to be used."""
    learner = Learner()
    guard = Guard(learner=learner)
    assert [B, C] == guard.reachable(A, [B, C], 0.0)
    guard.authorise_message(ComponentId("host", "app", "0"), "send", B, 0.0)
    assert {} == learner.grants()


def test_what_is_learned_is_bounded_and_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest that tries every address fills no memory; what is known already is not counted."""
    monkeypatch.setattr(learn, "MOST_USES", 2)
    learner = Learner()
    for target in ("n/b/0", "n/c/0", "n/d/0", "n/b/0"):
        learner.record(A, "send", target)
    assert {A: Capabilities(send=["n/b/0", "n/c/0"])} == learner.grants()
    assert learner.toml().endswith("\n# 1 more uses were too many to keep; they are missing here.\n")
    assert ["n/b/0", "n/c/0"] == tomllib.loads(learner.toml())["pipeline"]["grants"]["n/a"]["send"]
