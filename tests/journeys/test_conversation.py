"""Guests talk to one another, keep what they learn, and listen to topics."""

import re
from pathlib import Path

import pytest

from airssys_wasm import ActorSystem, Capabilities, ComponentCrashed, GuestError, MailboxFull, StorageClaimed
from tests.contract.rows import UUID4
from tests.contract.stage import EVERYTHING, NOTHING, Actor, Stage, binary, component, until, wire


async def test_a_request_and_its_callback(stage: Stage) -> None:
    """The callback guest asks the echo and answers the correlation id; its own callback is handled."""
    await stage.load("echo", "echo")
    caller = await stage.load("caller", "callback", capabilities=Capabilities(request=["demo/echo/*"]))
    answer = await caller.say("demo|echo|0|data with | in it")
    assert re.fullmatch(UUID4, answer)
    await until(lambda: caller.handle.statistics().handled == 2)
    assert (0, 0) == (len(stage.requests), caller.handle.statistics().guest_errors)


@pytest.mark.parametrize("payload", ["", "a|b|c", "no bars"])
async def test_the_callback_guest_says_what_it_wants(stage: Stage, payload: str) -> None:
    """Malformed input is an err with a text that users know."""
    caller = await stage.load("caller", "callback")
    with pytest.raises(GuestError) as caught:
        await caller.say(payload)
    expected = ("runtime-error", "invalid payload format: expected namespace|name|instance|data")
    assert expected == (caught.value.case, caught.value.text)


async def test_a_request_that_is_refused_is_an_err_of_the_callback_guest(stage: Stage) -> None:
    """It tells why."""
    caller = await stage.load("caller", "callback", capabilities=NOTHING)
    with pytest.raises(GuestError, match=r"^runtime-error: request failed: .*no grant permits it"):
        await caller.say("demo|echo|0|data")


async def test_a_round_of_three(stage: Stage) -> None:
    """Each asks the next one, and the answer of the last comes back to each in its turn."""
    first, second = await stage.load("first"), await stage.load("second")
    await stage.load("third")
    await first.request("second", f"request 60000 {wire('third')} echo from the third")
    assert "from the third" == (await second.callback()).payload
    assert re.fullmatch(f"ok {UUID4}", (await first.callback()).payload)


async def test_what_was_stored_outlives_restarts_reloads_and_systems(tmp_path: Path) -> None:
    """In a file: by the same binary, under the same id."""
    path = tmp_path / "storage.db"
    async with ActorSystem(storage=path) as system:
        keeper = Actor(await system.load(component("keeper"), binary("hostile"), capabilities=EVERYTHING))
        assert "ok" == await keeper.say("storage-set k v")
        with pytest.raises(ComponentCrashed):
            await keeper.handle.ask(b"trap")
        assert "ok some v" == await keeper.say("storage-get k")
        await system.unload(keeper.handle)
        keeper = Actor(await system.load(component("keeper"), binary("hostile"), capabilities=EVERYTHING))
        assert "ok some v" == await keeper.say("storage-get k")
    async with ActorSystem(storage=path) as system:
        keeper = Actor(await system.load(component("keeper"), binary("hostile"), capabilities=EVERYTHING))
        assert "ok some v" == await keeper.say("storage-get k")
        await system.unload(keeper.handle)
        with pytest.raises(StorageClaimed, match="demo/keeper/0"):
            await system.load(component("keeper"), binary("echo"))
        await system.storage.erase(component("keeper"))
        keeper = Actor(await system.load(component("keeper"), binary("hostile"), capabilities=EVERYTHING))
        assert "ok none" == await keeper.say("storage-get k")


async def test_a_publication_goes_past_full_and_failed_subscribers(stage: Stage) -> None:
    """The others get it, and the publisher hears of those that did not."""
    await stage.load_full()
    await stage.load_failed()
    listener = await stage.load("listener")
    for name in ("full", "failed", "listener"):
        await stage.system.subscribe("news.#", component(name))
    published = await stage.system.publish("news.today", b"count")
    assert (1, {component("full"), component("failed")}) == (published.delivered, set(published.failed))
    assert isinstance(published.failed[component("full")], MailboxFull)
    assert "2" == await listener.say("count")
