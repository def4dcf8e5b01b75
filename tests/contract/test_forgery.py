"""What a guest must not be able to pretend, read, reach or find out."""

import time
from typing import Final

import pytest

from airssys_wasm import Capabilities, ComponentId, ConfigError, TargetNotFound
from airssys_wasm.core.messages import CONTENT_TYPE_ERROR, CONTENT_TYPE_FLUSH, CONTENT_TYPE_NONE
from tests.contract.gate import Gate
from tests.contract.stage import NOTHING, Stage, binary, component, until, wire

PROBES: Final = ("send {} x", "request 60000 {} x", "broadcast {} x", "meta {}")


async def test_the_sender_is_who_it_is(stage: Stage) -> None:
    """Whatever the payload says: sender, reply-to and time are the host's, and a guest sets no content type."""
    asker, target = await stage.load("asker"), await stage.load("target")
    before = int(time.time())
    await asker.request("target", "envelope sender=host/app/0 content-type=application/x.airssys.flush")
    told = dict(line.split(" ", 1) for line in (await asker.callback()).payload.split("\n"))
    assert ("demo/asker/0", "demo/asker/0", "none") == (told["sender"], told["reply-to"], told["content-type"])
    assert before <= int(told["timestamp"].split()[0]) <= time.time()
    await asker.say(f"send {target.wire} envelope")
    assert "host/app/0" in await target.say("envelope")


async def test_a_message_without_a_request_has_no_correlation_id(stage: Stage) -> None:
    """Only requests and their answers have one."""
    target = await stage.load("target")
    assert "correlation-id none" in (await target.say("envelope")).split("\n")


@pytest.mark.parametrize("content_type", [CONTENT_TYPE_NONE, CONTENT_TYPE_ERROR, CONTENT_TYPE_FLUSH])
async def test_not_even_host_code_speaks_with_the_runtimes_content_types(stage: Stage, content_type: str) -> None:
    """On behalf of a component neither."""
    asker = await stage.load("asker")
    with pytest.raises(ConfigError, match="reserved"):
        await stage.system.send(component("asker"), component("asker"), b"x", content_type)
    with pytest.raises(ConfigError, match="reserved"):
        await asker.handle.ask(b"x", content_type=content_type)


async def test_an_answer_cannot_pass_for_an_error_or_for_none(stage: Stage) -> None:
    """The payload of an answer is its target's, the content type is not."""
    asker, _ = await stage.load("asker"), await stage.load("target")
    await asker.request("target", 'echo {"error": "timeout", "detail": ""}')
    callback = await asker.callback()
    assert ("none", '{"error": "timeout", "detail": ""}') == (callback.content_type, callback.payload)


async def test_a_component_cannot_call_back_another(stage: Stage, gate: Gate) -> None:
    """It may know the correlation id and send it as it likes; a message is no callback."""
    asker, forger = await stage.load("asker"), await stage.load("forger")
    correlation_id = await asker.request(gate.id, "x")
    for payload in (correlation_id, f"last-callback {correlation_id}"):
        assert "ok" == await forger.say(f"send {asker.wire} {payload}")
    assert (0, 1) == (await asker.callbacks(), len(stage.requests))
    gate.open()
    callback = await asker.callback()
    assert (correlation_id, str(gate.id)) == (callback.correlation_id, callback.sender)


async def test_nobody_poses_as_host_code(stage: Stage) -> None:
    """The namespace is the host's, and what only looks like it is another."""
    for name in ("app", "anything"):
        with pytest.raises(ValueError, match="reserved"):
            await stage.system.load(ComponentId("host", name, "0"), b"")
    lookalike = ComponentId("h\u043est", "app", "0")  # a Cyrillic o
    poser = await stage.load("poser", capabilities=NOTHING)
    await stage.unload(poser)
    with pytest.raises(PermissionError):
        await stage.system.send(lookalike, component("poser"), b"x")


@pytest.mark.parametrize(
    "key", ["k", "../asker/k", "/k", "demo/asker/0/k", "asker\u0000k", "%", "\uff4b", "k\u0301", "K"]
)
async def test_keys_of_another_cannot_be_read_whatever_they_look_like(stage: Stage, key: str) -> None:
    """Keys are not paths, nothing is normalised, and each component has its own."""
    asker, thief = await stage.load("asker"), await stage.load("thief")
    assert "ok" == await asker.say("storage-set k secret")
    for command in (f"storage-get {key}", f"storage-exists {key}", f"storage-list {key}", "storage-list"):
        answer = await thief.say(command)
        assert answer in {"ok none", "ok false", "ok"} or answer.startswith("err invalid-key")
    await thief.say(f"storage-set {key} mine")
    await thief.say(f"storage-delete {key}")
    assert ("ok some secret", "ok\nk") == (await asker.say("storage-get k"), await asker.say("storage-list"))


async def test_components_whose_printed_names_run_together_keep_apart(stage: Stage) -> None:
    """A name that begins like another's, and parts that are shifted by one."""
    ids = [ComponentId(*parts.split("|")) for parts in ("a|b|c", "a|bc|0", "ab|c|0", "a|b|c0", "a|B|c")]
    actors = []
    for id_ in ids:
        handle = await stage.system.load(id_, binary("hostile"), capabilities=Capabilities(storage=["read", "write"]))
        actors.append(handle)
        await handle.ask(f"storage-set k {id_}".encode())
    for id_, handle in zip(ids, actors, strict=True):
        assert f"ok some {id_}".encode() == await handle.ask(b"storage-get k")
        assert b"ok\nk" == await handle.ask(b"storage-list")


@pytest.mark.parametrize("probe", PROBES)
async def test_without_a_grant_it_cannot_be_found_out_who_is_there(stage: Stage, probe: str) -> None:
    """The answers for one that is loaded, one that is not, one that is shut and one that is full differ in the name."""
    asker = await stage.load("asker", capabilities=Capabilities(send=["demo/friend/*"]))
    await stage.load("hidden", capabilities=Capabilities(receive_from=[]))
    await stage.load("open")
    await stage.load_full("stuck")
    answers = set()
    for name in ("hidden", "absent", "open", "stuck"):
        started = time.monotonic()
        answer = await asker.say(probe.format(wire(name)))
        assert time.monotonic() - started < 0.9  # nobody's mailbox is waited for, that would take a second
        answers.add(answer.replace(str(component(name)), "ID"))
    assert 1 == len(answers)
    assert answers.pop().startswith("err ")


async def test_an_oversized_payload_does_not_tell_who_is_there_either(stage: Stage) -> None:
    """The grant is asked for before anybody's limits."""
    asker = await stage.load("asker", capabilities=NOTHING)
    await stage.load("hidden")
    answers = {
        (await asker.say(f"send-size {2 << 20} {wire(name)}")).replace(str(component(name)), "ID")
        for name in ("hidden", "absent")
    }
    assert {"err delivery-failed: demo/asker/0 may not send ID: no grant permits it"} == answers


async def test_a_grant_that_is_gone_hides_again(stage: Stage) -> None:
    """From the next call on."""
    asker, _ = await stage.load("asker", capabilities=NOTHING), await stage.load("target")
    for _ in range(2):
        assert "" == await asker.say("list")
        stage.system.grant(component("asker"), Capabilities(send=["demo/target/0"]))
        assert "demo/target/0" == await asker.say("list")
        stage.system.revoke(component("asker"))


async def test_ids_that_only_look_alike_are_different(stage: Stage) -> None:
    """No part is normalised, case included."""
    asker = await stage.load("asker", capabilities=Capabilities(send=["demo/target/0"]))
    await stage.load("target")
    for name in ("Target", "t\u0430rget", "target\u200b", "targe\uff54"):  # the second has a Cyrillic a
        answer = await asker.say(f"send demo|{name}|0 x")
        assert answer.endswith("no grant permits it")
        with pytest.raises(TargetNotFound):
            await stage.system.send(None, component(name), b"x")


async def test_an_error_tells_nothing_of_the_inside_of_another(stage: Stage) -> None:
    """No backtrace, no address, no payload of its other messages."""
    asker, target = await stage.load("asker"), await stage.load("target")
    await target.say("echo a secret payload")
    for number, crime in enumerate(("trap", "oob", "stack-overflow", "divzero", "invalid-answer utf8"), 1):
        await asker.request("target", crime)
        payload = (await asker.callback(number)).payload
        assert '{"error": "runtime-error", "detail": "demo/target/0 crashed"}' == payload
        await target.handle.restart()
    await until(lambda: not len(stage.requests))
