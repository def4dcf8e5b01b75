"""Replacing the binary of a component while it serves, on scripted guests and a manual clock."""

import pytest

from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.errors import (
    ComponentCrashed,
    GuestError,
    InstantiationFailed,
    PayloadTooLarge,
    Trap,
)
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.messages import CONTENT_TYPE_SAVE_STATE, ComponentMessage
from airssys_wasm.core.observations import DeadLetterReason, EventKind
from airssys_wasm.core.upgrades import UpgradeFailed, UpgradeUnderWay
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import ScriptedGuest
from airssys_wasm.testing.obedience import obey
from tests.actor.bench import Bench, component
from tests.actor.upgrading import HANDS_OVER, upgrade, upgrading, version


async def _trap(_guest: ScriptedGuest, _config: ComponentConfig) -> None:
    raise Trap("unreachable executed", "unreachable")


async def _pause(guest: ScriptedGuest, _config: ComponentConfig) -> None:
    await guest.pause()


async def test_the_new_one_serves_and_the_old_one_says_goodbye_after_the_probation(bench: Bench) -> None:
    """Both live meanwhile; the events say which binary it is."""
    child = await bench.start(script=version("1"))
    await upgrade(bench, child, version("2"), probation=10.0)
    assert b"2" == await bench.ask(child, b"version")
    assert ([], 2) == (bench.host.calls("shutdown"), len(bench.host.live))
    await bench.clock.advance(9.9)
    assert 2 == len(bench.host.live)
    await bench.clock.advance(0.2)
    assert [component()] == bench.host.calls("shutdown")
    assert [bench.guest(1)] == bench.host.live
    assert [EventKind.STARTED, EventKind.UPGRADED] == bench.observer.kinds()
    event, statistics = bench.observer.events[-1], child.statistics()
    assert ("2", "digest 2") == (event.version, event.digest)
    assert ("digest 2", 1, 0) == (statistics.digest, statistics.upgrades, statistics.rollbacks)
    assert statistics.metadata is not None
    assert "2" == statistics.metadata.version


async def test_without_a_probation_the_old_one_ends_at_once(bench: Bench) -> None:
    """And is told so."""
    child = await bench.start(script=version("1"))
    await upgrade(bench, child, version("2"), probation=0)
    await settle()
    assert ([component()], [bench.guest(1)]) == (bench.host.calls("shutdown"), bench.host.live)


@pytest.mark.parametrize(
    ("old", "new", "counted"),
    [
        (HANDS_OVER, HANDS_OVER, b"4"),
        (HANDS_OVER, (), b"1"),
        ((), HANDS_OVER, b"1"),
        (["save-state"], ["load-state"], b"4"),
    ],
)
async def test_the_state_goes_over_if_both_are_made_for_it(
    bench: Bench, old: list[str], new: list[str], counted: bytes
) -> None:
    """A component that does not list the operation never sees a control message."""
    child = await bench.start(script=version("1", *old))
    for _ in range(3):
        await bench.ask(child, b"count")
    await upgrade(bench, child, version("2", *new))
    assert counted == await bench.ask(child, b"count")


async def test_nothing_to_save_is_nothing_to_load(bench: Bench) -> None:
    """`none` as the answer to save-state."""

    async def forgetful(guest: ScriptedGuest, message: ComponentMessage) -> bytes | None:
        return None if message.metadata.content_type == CONTENT_TYPE_SAVE_STATE else await obey(guest, message)

    child = await bench.start(script=version("1", *HANDS_OVER, on_message=forgetful))
    await bench.ask(child, b"count")
    await upgrade(bench, child, version("2", *HANDS_OVER))
    assert b"1" == await bench.ask(child, b"count")


async def test_the_message_in_progress_is_finished_by_the_old_one_and_the_rest_waits_for_the_new(bench: Bench) -> None:
    """None is lost, none is repeated, the order stays; while the old one works the new one is made."""
    child = await bench.start(script=version("1", *HANDS_OVER))
    first = bench.asking(child, b"wait")
    others = [bench.asking(child, word) for word in (b"count", b"version", b"count")]
    await bench.host.until_paused()
    upgraded = upgrading(bench, child, version("2", *HANDS_OVER))
    await settle()
    assert 2 == len(bench.host.calls("initialize"))
    assert not upgraded.done()
    bench.guest(0).resume(b"by the old one")
    await upgraded
    assert b"by the old one" == await first
    assert [b"1", b"2", b"2"] == [await other for other in others]


async def test_a_full_mailbox_and_those_who_wait_for_room_outlast_an_upgrade(bench: Bench) -> None:
    """Each is answered once, in order."""
    child = await bench.start(script=version("1", *HANDS_OVER), limits=Limits(mailbox_capacity=2))
    first = bench.asking(child, b"wait")
    await bench.host.until_paused()
    counting = [bench.asking(child, b"count") for _ in range(8)]
    await settle()
    assert 6 == child.mailbox.statistics().senders_waiting
    upgraded = upgrading(bench, child, version("2", *HANDS_OVER))
    await settle()
    bench.guest(0).resume(b"")
    await upgraded
    await first
    assert [b"%d" % number for number in range(1, 9)] == [await one for one in counting]


@pytest.mark.parametrize("broken", ["on_start", "on_initialize"])
async def test_a_new_one_that_does_not_start_changes_nothing(bench: Bench, broken: str) -> None:
    """What failed is raised; nothing of it is left, the old one keeps its state."""

    async def on_start(_guest: ScriptedGuest) -> None:
        raise InstantiationFailed("no import")

    behaviour = {"on_start": on_start} if broken == "on_start" else {"on_initialize": _trap}
    child = await bench.start(script=version("1"))
    await bench.ask(child, b"count")
    with pytest.raises(InstantiationFailed):
        await upgrade(bench, child, version("2", **behaviour))
    assert (b"2", [bench.guest(0)]) == (await bench.ask(child, b"count"), bench.host.live)
    assert ([EventKind.STARTED], "digest 1") == (bench.observer.kinds(), child.digest)
    assert ({}, None, 0) == (child.beside, child.upgrade, child.instances_beside)


async def test_the_old_one_serves_while_the_new_one_initializes(bench: Bench) -> None:
    """However long that takes, up to its deadline, after which the upgrade has failed."""
    child = await bench.start(script=version("1"), limits=Limits(max_execution_time=5.0))
    upgraded = upgrading(bench, child, version("2", on_initialize=_pause))
    await bench.host.until_paused()
    assert b"1" == await bench.ask(child, b"version")
    await bench.clock.advance(4.9)
    assert b"1" == await bench.ask(child, b"version")
    await bench.clock.advance(0.2)
    with pytest.raises(InstantiationFailed, match="more than 5 s"):
        await upgraded
    assert b"1" == await bench.ask(child, b"version")


async def _refuses(_guest: ScriptedGuest, message: ComponentMessage) -> bytes | None:
    if message.metadata.content_type is not None:
        raise GuestError("runtime-error", "of another age")
    return message.payload.data


async def _answers_too_much(guest: ScriptedGuest, message: ComponentMessage) -> bytes | None:
    if message.metadata.content_type is not None:
        return b"x" * 100
    return await obey(guest, message)


async def _crashes(guest: ScriptedGuest, message: ComponentMessage) -> bytes | None:
    if message.metadata.content_type is not None:
        raise Trap("unreachable executed", "unreachable")
    return await obey(guest, message)


async def _garbage(guest: ScriptedGuest, message: ComponentMessage) -> bytes | None:
    return b"\xff no number" if message.metadata.content_type is not None else await obey(guest, message)


@pytest.mark.parametrize(
    ("old", "new", "cause", "text"),
    [
        (_refuses, obey, GuestError, "save-state ended with runtime-error: of another age"),
        (_answers_too_much, obey, PayloadTooLarge, "save-state ended with answer of 100 bytes"),
        (obey, _refuses, GuestError, "load-state ended with runtime-error: of another age"),
        (obey, _crashes, Trap, "load-state ended with Execution error: unreachable executed"),
        (_garbage, obey, ValueError, "load-state ended with invalid literal"),
    ],
)
async def test_a_state_that_cannot_be_handed_over_changes_nothing(
    bench: Bench, old: object, new: object, cause: type[Exception], text: str
) -> None:
    """The old one serves on with what it had; the new one is gone."""
    limits = Limits(max_payload_bytes=50)
    child = await bench.start(script=version("1", *HANDS_OVER, on_message=old), limits=limits)
    with pytest.raises(UpgradeFailed, match=text) as caught:
        await upgrade(bench, child, version("2", *HANDS_OVER, on_message=new))
    assert isinstance(caught.value.__cause__, cause)
    assert b"still here" == await bench.ask(child, b"still here")
    assert ([bench.guest(0)], 0) == (bench.host.live, child.crashes)


async def test_an_old_one_that_crashes_on_save_state_is_restarted_as_after_any_crash(bench: Bench) -> None:
    """With its own binary; nothing of the new one is left."""
    child = await bench.start(script=version("1", *HANDS_OVER, on_message=_crashes))
    with pytest.raises(UpgradeFailed, match="save-state ended with"):
        await upgrade(bench, child, version("2", *HANDS_OVER))
    await bench.clock.advance(1)
    assert (b"1", 1) == (await bench.ask(child, b"version"), child.crashes)
    assert 1 == len(bench.host.live)


async def test_one_upgrade_at_a_time(bench: Bench) -> None:
    """The second is refused, the first goes on."""
    child = await bench.start(script=version("1"))
    first = upgrading(bench, child, version("2", on_initialize=_pause))
    await bench.host.until_paused()
    with pytest.raises(UpgradeUnderWay):
        await upgrade(bench, child, version("3"))
    bench.guest(1).resume()
    await first
    assert b"2" == await bench.ask(child, b"version")


async def test_an_upgrade_during_the_probation_replaces_the_present_one(bench: Bench) -> None:
    """The first is given up when the third has taken over, not before; a rollback then leads to the second."""
    child = await bench.start(script=version("1", *HANDS_OVER))
    await upgrade(bench, child, version("2", *HANDS_OVER))
    with pytest.raises(InstantiationFailed):
        await upgrade(bench, child, version("broken", on_initialize=_trap))
    assert 2 == len(bench.host.live)
    await upgrade(bench, child, version("3", *HANDS_OVER), max_crashes=0)
    await settle()
    assert ([component()], 2) == (bench.host.calls("shutdown"), len(bench.host.live))
    await bench.crash(child)
    assert b"2" == await bench.ask(child, b"version")


async def test_what_crashed_is_not_run_again_by_the_next_one(bench: Bench) -> None:
    """At most once, also across a rollback."""
    child = await bench.start(script=version("1"))
    await upgrade(bench, child, version("2"), max_crashes=0)
    crashing, next_one = bench.asking(child, b"trap"), bench.asking(child, b"version")
    with pytest.raises(ComponentCrashed):
        await crashing
    assert b"1" == await next_one
    assert [(b"trap", DeadLetterReason.CRASHED)] == bench.letters()
