"""What else may happen to a component while it is upgraded."""

import asyncio

import pytest

from airssys_wasm.actor.restarts import RestartPolicy
from airssys_wasm.core.config import ComponentConfig, Restart
from airssys_wasm.core.errors import (
    ActorStopped,
    InstantiationFailed,
    Trap,
)
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.observations import ActorState, EventKind
from airssys_wasm.core.upgrades import UpgradeFailed
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import Script, ScriptedGuest
from airssys_wasm.testing.obedience import obey
from tests.actor.bench import Bench
from tests.actor.upgrading import HANDS_OVER, upgrade, upgrading, version


async def _trap(_guest: ScriptedGuest, _config: ComponentConfig) -> None:
    raise Trap("unreachable executed", "unreachable")


async def _pause(guest: ScriptedGuest, _config: ComponentConfig) -> None:
    await guest.pause()


@pytest.mark.parametrize("when", ["initialize", "message", "save-state", "load-state"])
async def test_a_cancelled_upgrade_changes_nothing(bench: Bench, when: str) -> None:
    """Wherever it is cancelled: the old one serves on, of the new one nothing is left."""

    async def slow(guest: ScriptedGuest, message: ComponentMessage) -> bytes | None:
        if message.metadata.content_type == f"application/x.airssys.{when}":
            await guest.pause()
        return await obey(guest, message)

    child = await bench.start(script=version("1", *HANDS_OVER, on_message=slow))
    await bench.ask(child, b"count")
    waiting = bench.asking(child, b"wait") if when == "message" else None
    new = version("2", *HANDS_OVER, on_message=slow, on_initialize=_pause if when == "initialize" else _nothing)
    upgraded = upgrading(bench, child, new)
    await bench.host.until_paused()
    await settle()
    upgraded.cancel()
    await settle()
    for guest in bench.host.live:
        guest.resume(b"resumed")
    with pytest.raises(asyncio.CancelledError):
        await upgraded
    assert (b"2", b"1") == (await bench.ask(child, b"count"), await bench.ask(child, b"version"))
    assert ([bench.guest(0)], {}, None) == (bench.host.live, child.beside, child.upgrade)
    if waiting is not None:
        assert b"resumed" == await waiting


async def _nothing(_guest: ScriptedGuest, _config: ComponentConfig) -> None:
    pass


async def test_a_crash_of_the_old_one_meanwhile_makes_way_for_the_new_one(bench: Bench) -> None:
    """It takes the place at once instead of a restart of the old one; there is no state to hand over."""
    child = await bench.start(script=version("1", *HANDS_OVER))
    await bench.ask(child, b"count")
    upgraded = upgrading(bench, child, version("2", *HANDS_OVER, on_initialize=_pause))
    await bench.host.until_paused()
    await bench.crash(child)
    assert ActorState.RESTARTING is child.state
    bench.guest(1).resume()
    await upgraded
    assert (b"2", b"1") == (await bench.ask(child, b"version"), await bench.ask(child, b"count"))
    await bench.clock.advance(1)
    assert ([bench.guest(1)], 0) == (bench.host.live, len(bench.host.calls("shutdown")))


async def test_an_upgrade_during_a_back_off_waits_for_nothing(bench: Bench) -> None:
    """The new one serves what has waited."""
    child = await bench.start(script=version("1"), policy=RestartPolicy(backoff_initial=30.0))
    await bench.crash(child)
    waiting = bench.asking(child, b"version")
    await upgrade(bench, child, version("2"))
    assert (b"2", ActorState.RUNNING) == (await waiting, child.state)


async def test_an_upgrade_during_a_restart_waits_for_its_end(bench: Bench) -> None:
    """Then the restarted one hands over as any other."""
    pauses = False

    async def on_initialize(guest: ScriptedGuest, _config: ComponentConfig) -> None:
        if pauses:
            await guest.pause()

    child = await bench.start(script=version("1", on_initialize=on_initialize))
    pauses = True
    await bench.crash(child)
    await bench.clock.advance(0.2)
    upgraded = upgrading(bench, child, version("2"))
    await settle()
    assert not upgraded.done()
    bench.guest(1).resume()
    await upgraded
    assert b"2" == await bench.ask(child, b"version")
    await bench.clock.advance(20)
    assert [bench.guest(2)] == bench.host.live


async def test_an_upgrade_revives_a_failed_component(bench: Bench) -> None:
    """It is how one is repaired; back it would fail again."""
    child = await bench.start(script=version("1"), policy=RestartPolicy(intensity=0))
    await bench.crash(child)
    assert ActorState.FAILED is child.state
    with pytest.raises(InstantiationFailed):
        await upgrade(bench, child, version("2", on_initialize=_trap))
    assert ActorState.FAILED is child.state
    await upgrade(bench, child, version("2"))
    assert b"2" == await bench.ask(child, b"version")
    await bench.crash(child)
    assert (ActorState.FAILED, "digest 1") == (child.state, child.digest)
    kinds = bench.observer.kinds()
    assert [EventKind.CRASHED, EventKind.ROLLED_BACK, EventKind.FAILED] == kinds[-3:]


@pytest.mark.parametrize("when", ["initialize", "message", "load-state"])
@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_component_that_is_stopped_is_not_upgraded(bench: Bench, when: str, how: str) -> None:
    """The upgrade says so, and nothing is left of either; the old one still gets its shutdown."""

    async def slow(guest: ScriptedGuest, message: ComponentMessage) -> bytes | None:
        if message.metadata.content_type == f"application/x.airssys.{when}":
            await guest.pause()
        return await obey(guest, message)

    child = await bench.start(script=version("1", *HANDS_OVER))
    waiting = bench.asking(child, b"wait" if when == "message" else b"now")
    await bench.host.until_paused(when == "message")
    new = version("2", *HANDS_OVER, on_message=slow, on_initialize=_pause if when == "initialize" else _nothing)
    upgraded = upgrading(bench, child, new)
    await bench.host.until_paused()
    await settle()
    if how == "kill":
        await bench.supervisor.aclose(kill=True)
    else:
        stopping = asyncio.create_task(bench.supervisor.stop_child(child))
        await settle()
        bench.guest(0).resume(b"finished")
        await stopping
    with pytest.raises(ActorStopped):
        await upgraded
    assert ([], {}, ActorState.STOPPED) == (bench.host.live, child.beside, child.state)
    assert (1 if how == "stop" else 0) == len(bench.host.calls("shutdown"))
    if when == "message" and how == "stop":
        assert b"finished" == await waiting
    elif when != "message":
        assert b"now" == await waiting
    else:
        with pytest.raises(ActorStopped):
            await waiting


async def test_a_restart_on_request_meanwhile_is_obeyed(bench: Bench) -> None:
    """While the new one initializes it is a restart of the old one, which hands over later."""
    child = await bench.start(script=version("1", *HANDS_OVER))
    await bench.ask(child, b"count")
    upgraded = upgrading(bench, child, version("2", *HANDS_OVER, on_initialize=_pause))
    await bench.host.until_paused()
    await bench.supervisor.restart(child)
    assert b"1" == await bench.ask(child, b"version")
    bench.guest(1).resume()
    await upgraded
    assert b"2" == await bench.ask(child, b"version")


async def test_a_restart_on_request_while_the_state_goes_over_ends_the_upgrade(bench: Bench) -> None:
    """What was saved is not the state of the instance that the restart makes."""

    async def slow(guest: ScriptedGuest, _message: ComponentMessage) -> bytes | None:
        return await guest.pause()

    child = await bench.start(script=version("1", *HANDS_OVER))
    upgraded = upgrading(bench, child, version("2", *HANDS_OVER, on_message=slow))
    await bench.host.until_paused()
    await bench.supervisor.restart(child)
    bench.guest(1).resume()
    with pytest.raises(UpgradeFailed, match="restarted"):
        await upgraded
    assert (b"1", 1) == (await bench.ask(child, b"version"), len(bench.host.live))


async def test_a_temporary_component_that_crashes_meanwhile_is_gone(bench: Bench) -> None:
    """There is nothing left to upgrade."""
    policy = RestartPolicy(restart=Restart.TEMPORARY)
    child = await bench.start(script=version("1"), policy=policy)
    upgraded = upgrading(bench, child, version("2", on_initialize=_pause))
    await bench.host.until_paused()
    await bench.crash(child)
    with pytest.raises(ActorStopped):
        await upgraded
    assert ([], True) == (bench.host.live, child.gone)


async def test_a_component_that_is_gone_is_not_upgraded(bench: Bench) -> None:
    """Nothing is started for it."""
    child = await bench.start()
    await bench.supervisor.stop_child(child)
    with pytest.raises(ActorStopped):
        await upgrade(bench, child, Script())
    assert 1 == len(bench.host.guests)
