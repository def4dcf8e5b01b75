"""Upgrades of components that belong to a tree of supervisors."""

import pytest

from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.observations import ActorState
from airssys_wasm.core.upgrades import UpgradeFailed
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import ScriptedGuest
from tests.actor.bench import Bench
from tests.actor.trees import group, grown, leaf
from tests.actor.upgrading import HANDS_OVER, upgrade, upgrading, version


async def test_a_member_of_a_tree_is_upgraded_where_it_stands(bench: Bench) -> None:
    """Nobody else is restarted, neither by the upgrade nor by the rollback; restarts follow the strategy."""
    tree = await grown(bench, group("g", "one_for_all", "x", leaf("a", script=version("1")), "y"))
    child = tree.child("a")
    tree.log()
    await upgrade(bench, child, version("2"), max_crashes=1)
    assert "+a" == tree.log()
    assert "-a -y -x +x +a +y" == await tree.crash("a", wait=1)
    assert b"2" == await bench.ask(child, b"version")
    await upgrade(bench, child, version("3"), max_crashes=0)
    tree.log()
    assert "-a" == await tree.crash("a", wait=1)
    assert b"2" == await bench.ask(child, b"version")


async def test_a_crash_that_would_end_a_group_brings_the_old_one_back(bench: Bench) -> None:
    """The group lives on."""
    tree = await grown(bench, group("g", "one_for_one", leaf("a", script=version("1")), "b", intensity=0))
    child = tree.child("a")
    await upgrade(bench, child, version("2"), max_crashes=5)
    tree.log()
    assert "-a" == await tree.crash("a", wait=1)
    assert (b"1", ActorState.RUNNING) == (await bench.ask(child, b"version"), tree.tree.state)


async def test_a_member_that_waits_for_its_restart_starts_anew_in_its_turn(bench: Bench) -> None:
    """Back-off is not waited for; the others of its group come in order."""
    spec = group("g", "one_for_all", "x", leaf("a", script=version("1")), "y", backoff_initial=20.0, backoff_max=20.0)
    tree = await grown(bench, spec)
    await tree.crash("a", wait=1)
    await upgrade(bench, tree.child("a"), version("2"))
    await settle()
    assert "x a y" == " ".join(sorted(tree.up().split(), key="xay".index))
    assert b"2" == await bench.ask(tree.child("a"), b"version")


async def test_a_member_of_a_tree_that_has_failed_revives_it(bench: Bench) -> None:
    """As a restart on request does."""
    tree = await grown(bench, group("g", "one_for_one", leaf("a", script=version("1")), "b", intensity=0))
    await tree.crash("a", wait=1)
    assert ActorState.FAILED is tree.tree.state
    await upgrade(bench, tree.child("a"), version("2"))
    await settle()
    assert (ActorState.RUNNING, b"2") == (tree.tree.state, await bench.ask(tree.child("a"), b"version"))


async def test_a_group_that_restarts_while_the_state_goes_over_ends_the_upgrade(bench: Bench) -> None:
    """What was saved is not the state of the instance that the group makes, however far that is."""

    async def slow(guest: ScriptedGuest, _message: ComponentMessage) -> bytes | None:
        return await guest.pause()

    tree = await grown(bench, group("g", "one_for_all", leaf("a", script=version("1", *HANDS_OVER)), "b"))
    await bench.ask(tree.child("a"), b"count")
    upgraded = upgrading(bench, tree.child("a"), version("2", *HANDS_OVER, on_message=slow))
    await bench.host.until_paused()
    await tree.crash("b", wait=0.05)
    bench.guest(2).resume()
    await tree.later(1)
    with pytest.raises(UpgradeFailed, match="restarted"):
        await upgraded
    answers = [await bench.ask(tree.child("a"), word) for word in (b"version", b"count")]
    assert ([b"1", b"1"], 2) == (answers, len(bench.host.live))


async def test_the_tree_stops_with_both_instances(bench: Bench) -> None:
    """In its order."""
    tree = await grown(bench, group("g", "one_for_one", leaf("a", script=version("1")), "b"))
    await upgrade(bench, tree.child("a"), version("2"))
    await bench.supervisor.trees.stop(tree.tree)
    assert ["b", "a", "a"] == [who.name for who in bench.host.calls("shutdown")]
    assert [] == bench.host.live
