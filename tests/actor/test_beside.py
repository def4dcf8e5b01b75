"""What becomes of the old instance after an upgrade: it is kept ready, comes back, or says goodbye once."""

import asyncio

import pytest

from airssys_wasm.actor.restarts import RestartPolicy
from airssys_wasm.core.config import ComponentConfig, Restart
from airssys_wasm.core.errors import ComponentCrashed, Trap
from airssys_wasm.core.messages import ComponentMessage, MessageMetadata, MessagePayload
from airssys_wasm.core.observations import ActorState, DeadLetterReason, EventKind
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import Script, ScriptedGuest
from tests.actor.bench import HOST, Bench, component
from tests.actor.upgrading import HANDS_OVER, upgrade, upgrading, version


async def test_too_many_crashes_bring_the_old_one_back_with_the_state_it_had(bench: Bench) -> None:
    """The same instance; the new one was restarted as often as it may crash, with its own binary and no state."""
    child = await bench.start(script=version("1", *HANDS_OVER))
    await bench.ask(child, b"count")
    await upgrade(bench, child, version("2", *HANDS_OVER), max_crashes=1)
    assert b"2" == await bench.ask(child, b"count")
    await bench.crash(child)
    await bench.clock.advance(0.2)
    assert (b"2", b"1") == (await bench.ask(child, b"version"), await bench.ask(child, b"count"))
    await bench.crash(child)
    assert (b"1", b"2") == (await bench.ask(child, b"version"), await bench.ask(child, b"count"))
    assert ([bench.guest(0)], 0) == (bench.host.live, len(bench.host.calls("shutdown")))
    event, statistics = bench.observer.events[-1], child.statistics()
    assert (EventKind.ROLLED_BACK, "1", "digest 1") == (event.kind, event.version, event.digest)
    assert event.reason is not None
    assert "unreachable" in event.reason.detail
    assert ("digest 1", 1, 1, 2) == (
        statistics.digest,
        statistics.upgrades,
        statistics.rollbacks,
        statistics.crashes,
    )


async def test_after_a_rollback_restarts_use_the_old_binary_and_its_restarts_count_from_before(bench: Bench) -> None:
    """What the new one did wrong does not bring the old one nearer to its end."""
    child = await bench.start(script=version("1"))
    for _ in range(2):
        await bench.crash(child)
        await bench.clock.advance(1)
    await upgrade(bench, child, version("2"), max_crashes=1)
    for _ in range(2):
        await bench.crash(child)
        await bench.clock.advance(1)
    await bench.crash(child)
    await bench.clock.advance(1)
    attempts = [event.attempt for event in bench.observer.events if event.kind is EventKind.RESTARTING]
    assert ([1, 2, 1, 3], b"1") == (attempts, await bench.ask(child, b"version"))


async def test_crashes_after_the_probation_are_crashes_like_any_other(bench: Bench) -> None:
    """There is nothing to go back to; restarts use the new binary."""
    child = await bench.start(script=version("1"))
    await upgrade(bench, child, version("2"), probation=5.0, max_crashes=0)
    await bench.clock.advance(5.1)
    await bench.crash(child)
    await bench.clock.advance(1)
    assert (b"2", 0) == (await bench.ask(child, b"version"), child.rollbacks)


async def test_a_restart_that_does_not_start_counts_as_a_crash(bench: Bench) -> None:
    """The new one started once, and then not any more."""
    starts = iter([True])

    async def once(_guest: ScriptedGuest, _config: ComponentConfig) -> None:
        if not next(starts, False):
            raise Trap("unreachable")

    child = await bench.start(script=version("1"))
    await upgrade(bench, child, version("2", on_initialize=once), max_crashes=1)
    await bench.crash(child)
    waiting = bench.asking(child, b"version")
    await bench.clock.advance(0.2)
    assert (b"1", ActorState.RUNNING) == (await waiting, child.state)


@pytest.mark.parametrize(
    "policy", [RestartPolicy(restart=Restart.TEMPORARY), RestartPolicy(intensity=0)], ids=["temporary", "intensity 0"]
)
async def test_a_crash_that_nobody_would_restart_brings_the_old_one_back(bench: Bench, policy: RestartPolicy) -> None:
    """However many crashes are allowed."""
    child = await bench.start(script=version("1"), policy=policy)
    await upgrade(bench, child, version("2"), max_crashes=5)
    await bench.crash(child)
    assert b"1" == await bench.ask(child, b"version")


async def test_an_interruption_on_request_is_no_crash(bench: Bench) -> None:
    """A restart uses the new binary, and does not count."""
    child = await bench.start(script=version("1"))
    await upgrade(bench, child, version("2"), max_crashes=0)
    for _ in range(3):
        await bench.supervisor.restart(child)
    assert b"2" == await bench.ask(child, b"version")


@pytest.mark.parametrize("drain", [True, False])
async def test_a_stop_during_the_probation_lets_both_say_goodbye_once(bench: Bench, drain: bool) -> None:
    """The component is gone when both are."""
    child = await bench.start(script=version("1"))
    await upgrade(bench, child, version("2"))
    waiting = [bench.asking(child, b"version") for _ in range(3)]
    await asyncio.sleep(0)
    await bench.supervisor.stop_child(child, drain=drain)
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert not drain or [b"2"] * 3 == answers
    assert [component()] * 2 == bench.host.calls("shutdown")
    assert ([], {}, None) == (bench.host.live, child.beside, child.probation)


async def test_a_stop_during_a_back_off_on_probation_lets_the_old_one_say_goodbye(bench: Bench) -> None:
    """It is the only one that is there."""
    child = await bench.start(script=version("1"))
    await upgrade(bench, child, version("2"), max_crashes=3)
    await bench.crash(child)
    await bench.supervisor.stop_child(child)
    assert ([component()], []) == (bench.host.calls("shutdown"), bench.host.live)


@pytest.mark.parametrize(("shutdown", "seconds"), [("brutal", 0.0), (2.0, 2.1), ("infinite", None)])
async def test_the_goodbye_has_the_grace_period_of_the_component(
    bench: Bench, shutdown: str | float, seconds: float | None
) -> None:
    """As for any other stop."""

    async def hang(guest: ScriptedGuest) -> None:
        await guest.pause()

    child = await bench.start(script=version("1", on_shutdown=hang), shutdown=shutdown)
    await upgrade(bench, child, version("2"), probation=1.0)
    await bench.clock.advance(1.1)
    assert (1 if shutdown == "brutal" else 2) == len(bench.host.live)
    await bench.clock.advance(10.0 if seconds is None else seconds)
    assert (2 if seconds is None else 1) == len(bench.host.live)
    bench.guest(0).resume()
    await settle()
    assert [bench.guest(1)] == bench.host.live


async def test_a_temporary_component_is_gone_when_an_old_one_has_said_goodbye(bench: Bench) -> None:
    """It crashes while the old one is at it: its id is not free before."""

    async def hang(guest: ScriptedGuest) -> None:
        await guest.pause()

    policy = RestartPolicy(restart=Restart.TEMPORARY)
    child = await bench.start(script=version("1", on_shutdown=hang), policy=policy)
    await upgrade(bench, child, version("2"), probation=0)
    waiting = bench.asking(child, b"wait")
    await bench.host.until_paused(2)
    bench.guest(1)._stop(Trap("unreachable"))
    with pytest.raises(ComponentCrashed):
        await waiting
    await settle()
    assert not child.gone
    bench.guest(0).resume()
    await settle()
    assert child.gone


async def test_killing_kills_all(bench: Bench) -> None:
    """Without a goodbye."""
    child = await bench.start(script=version("1"))
    await upgrade(bench, child, version("2"))
    starting = upgrading(bench, child, version("3", on_initialize=_pause))
    await bench.host.until_paused()
    assert 3 == len(bench.host.live)
    await bench.supervisor.aclose(kill=True)
    await asyncio.gather(starting, return_exceptions=True)
    assert ([], []) == (bench.host.calls("shutdown"), bench.host.live)


async def _pause(guest: ScriptedGuest, _config: ComponentConfig) -> None:
    await guest.pause()


def _seen(seen: list[bytes]) -> Script:
    async def on_callback(_guest: ScriptedGuest, message: ComponentMessage) -> None:
        seen.append(message.payload.data)

    return version("1", on_callback=on_callback)


def _answer(bench: Bench, payload: bytes, correlation_id: str, instance: int = 0) -> bool:
    """An answer to a request of an instance comes."""
    take = bench.guest(instance).state.take_callback
    message = ComponentMessage(HOST, MessagePayload(payload), MessageMetadata(correlation_id))
    return take is not None and take(message)


async def test_answers_to_requests_of_the_old_one_are_kept_for_it(bench: Bench) -> None:
    """The new one gets none of them; the old one all, in order, when it serves again. Cancelled ones never come."""
    seen: list[bytes] = []
    child = await bench.start(script=_seen(seen))
    busy = bench.asking(child, b"wait")
    await bench.host.until_paused()
    assert _answer(bench, b"in the mailbox", "1")
    upgraded = upgrading(bench, child, version("2"), max_crashes=0)
    await settle()
    bench.guest(0).resume()
    await upgraded
    assert _answer(bench, b"later", "2")
    assert _answer(bench, b"cancelled", "3")
    drop = bench.guest(0).state.drop_callback
    assert drop is not None
    drop("3")
    await busy
    await bench.ask(child, b"version")
    assert ([], [(b"cancelled", DeadLetterReason.WITHDRAWN)]) == (seen, bench.letters())
    await bench.crash(child)
    assert b"1" == await bench.ask(child, b"version")
    assert [b"in the mailbox", b"later"] == sorted(seen)


async def test_answers_for_an_old_one_that_is_given_up_are_dead_letters(bench: Bench) -> None:
    """Its requests end with it, as with every instance."""
    seen: list[bytes] = []
    child = await bench.start(script=_seen(seen))
    await upgrade(bench, child, version("2"), probation=1.0)
    assert _answer(bench, b"too late", "1")
    await bench.clock.advance(1.1)
    assert [(b"too late", DeadLetterReason.REQUESTER_GONE)] == bench.letters()
    assert not _answer(bench, b"much too late", "2")
    assert [] == seen


async def test_an_upgrade_that_failed_costs_no_answer(bench: Bench) -> None:
    """They come when the old one goes on."""
    seen: list[bytes] = []

    async def slow(guest: ScriptedGuest, _message: ComponentMessage) -> bytes | None:
        await guest.pause()
        raise Trap("unreachable")

    child = await bench.start(
        script=Script(on_callback=_seen(seen).on_callback, metadata=version("1", *HANDS_OVER).metadata)
    )
    upgraded = upgrading(bench, child, version("2", *HANDS_OVER, on_message=slow))
    await bench.host.until_paused()
    assert _answer(bench, b"meanwhile", "1")
    bench.guest(1).resume()
    with pytest.raises(Exception, match="load-state"):
        await upgraded
    await bench.ask(child, b"x")
    assert [b"meanwhile"] == seen
