"""Grants that host code gives and takes while components run."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from airssys_wasm import ActorSystem, Capabilities, CapabilityDenied, ComponentId, ConfigError, PolicyViolation
from airssys_wasm.security.policy import Policy, Rule
from airssys_wasm.testing.guests import OBEDIENT, ScriptedHost

A, B = ComponentId("demo", "a", "0"), ComponentId("demo", "b", "0")
TO_B = Capabilities(send=["demo/b/0"])


@pytest.fixture
async def system() -> AsyncIterator[ActorSystem]:
    """Two components without grants."""
    async with ActorSystem(host=ScriptedHost()) as system:
        for id_ in (A, B):
            await system.load(id_, OBEDIENT)
        yield system


async def may_send(system: ActorSystem) -> bool:
    """Whether A reaches B now."""
    try:
        await system.send(A, B, b"x")
    except CapabilityDenied:
        return False
    return True


async def test_a_grant_holds_from_the_next_call_until_it_is_revoked(system: ActorSystem) -> None:
    """On components that run; again and again."""
    for _ in range(3):
        assert not await may_send(system)
        system.grant(A, TO_B)
        assert await may_send(system)
        system.revoke(A)
    assert not await may_send(system)


async def test_revoking_a_part_leaves_the_rest(system: ActorSystem) -> None:
    """What is named is not permitted, also where a wider grant says it; a new grant gives it back."""
    system.grant(A, Capabilities(send=["*"], storage=["read"]))
    system.revoke(A, TO_B)
    assert not await may_send(system)
    await system.send(A, A, b"x")
    system.grant(A, TO_B)
    assert await may_send(system)


@pytest.mark.parametrize(("seconds", "held"), [(-1, False), (3600, True)])
async def test_a_grant_holds_until_it_expires(system: ActorSystem, seconds: float, held: bool) -> None:
    """Seconds since 1970."""
    system.grant(A, TO_B, time.time() + seconds)
    assert held is await may_send(system)


async def test_an_expiry_takes_effect_while_components_run(system: ActorSystem) -> None:
    """Also where the answer before was yes."""
    expires_at = time.time() + 0.2
    system.grant(A, TO_B, expires_at)
    asked_at = time.time()
    while await may_send(system):
        assert asked_at <= expires_at
        asked_at = time.time()
    assert time.time() > expires_at


async def test_an_unload_ends_all_grants_and_doors(system: ActorSystem) -> None:
    """The next component of that id begins with nothing."""
    system.grant(A, TO_B)
    system.grant(B, Capabilities(receive_from=["demo/other/*"]))
    assert not await may_send(system)
    for id_ in (A, B):
        handle = system.get(id_)
        assert handle is not None
        await system.unload(handle)
        await system.load(id_, OBEDIENT)
    assert not await may_send(system)
    system.grant(A, TO_B)
    assert await may_send(system)


async def test_explain_says_what_because_of_what(system: ActorSystem) -> None:
    """For people, as text."""
    system.grant(A, TO_B)
    assert "demo/b/0" in str(system.explain(A))
    assert "demo/b/0\n  may do nothing" == str(system.explain(B))


async def test_what_is_no_grant_is_refused(system: ActorSystem) -> None:
    """A typed error, and nothing has changed."""
    wrong: Any
    for wrong in ("*", ["*"], {"send": ["*"]}):
        with pytest.raises(ConfigError, match="capabilities"):
            system.grant(A, wrong)
        with pytest.raises(ConfigError, match="capabilities"):
            system.revoke(A, wrong)
    for wrong in (float("nan"), "tomorrow", True):
        with pytest.raises(ConfigError):
            system.grant(A, TO_B, wrong)
    assert not await may_send(system)


async def test_a_policy_forbids_what_is_granted_and_not_the_host() -> None:
    """Host code is asked nothing."""
    policy = Policy("lockdown", [Rule("*", "send", "demo/b/*", "deny")])
    async with ActorSystem(host=ScriptedHost(), policies=[policy]) as system:
        for id_ in (A, B):
            await system.load(id_, OBEDIENT, capabilities=Capabilities(send=["*"]))
        with pytest.raises(PolicyViolation):
            await system.send(A, B, b"x")
        await system.send(A, A, b"x")
        await system.send(None, B, b"x")
