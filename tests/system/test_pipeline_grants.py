"""Pipelines whose components act by themselves: policies, the audit file, learned grants, topics."""

import json
from collections import Counter
from pathlib import Path

import pytest

from airssys_wasm.core.observations import DeadLetterReason
from airssys_wasm.system.pipeline import Pipeline
from airssys_wasm.system.pipeline_open import open_pipeline
from tests.system.pipelines import component, opened, results, run

HOSTILE = component("x/h", "hostile")
ECHO = component("x/a", "echo") + component("x/b", "echo")
ROUTES = "in > x/h > out, in > x/a, in > x/b"
GRANT = '[pipeline.grants."x/h"]\nsend = ["x/*"]\nstorage = ["read", "write"]\n'
LINES = [
    b"send x|a|0 hello",
    b"request 1000 x|b|0 hello",
    b"broadcast x|a|0,x|b|0 hello",
    b"storage-set k v",
    b"storage-get k",
    b"send x|gone|0 hello",
]


def policy(name: str, *rules: str) -> str:
    """A `[[policy]]` of rules as "component action resource effect"."""
    keys = ("component", "action", "resource", "effect")
    listed = (", ".join(f'{key} = "{word}"' for key, word in zip(keys, rule.split(), strict=True)) for rule in rules)
    return f'[[policy]]\nname = "{name}"\nrules = [{", ".join(f"{{{rule}}}" for rule in listed)}]\n'


async def test_a_policy_overrules_a_grant(tmp_path: Path) -> None:
    """The first rule that matches decides; routes are not asked about; what is denied is a dead letter."""
    head = GRANT + policy(
        "p", "x/h/* send x/a/0 allow", "* * x/a/* deny", "* send x/b/* deny", "* storage.write * deny"
    )
    lines = [b"send x|a|0 hi", b"send x|b|0 hi", b"storage-set k v", b"storage-get k"]
    summary, found = await run(tmp_path, HOSTILE + ECHO, ROUTES, lines, head)
    assert found == [
        b"ok",
        b'err delivery-failed: policy "p", rule 3 forbids x/h/0 to send x/b/0',
        b"err io-error: permission denied",
        b"ok none",
    ]
    assert (True, 1, {DeadLetterReason.DENIED: 1}) == (summary.ok, summary.denied, summary.dead_letters)


async def test_every_decision_is_a_line_of_the_audit_file(tmp_path: Path) -> None:
    """Beside the pipeline's file; a second run appends; what routes carry is no decision."""
    head = f'[pipeline]\naudit = "audit.jsonl"\n{GRANT}'
    for runs in (1, 2):
        await run(tmp_path, HOSTILE + ECHO, ROUTES, [b"send x|a|0 hi", b"storage-get k", b"self-id"], head)
        entries = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_bytes().splitlines()]
        assert [("x/h/0", "send", "x/a/0", True), ("x/h/0", "storage.read", "x/h/0", True)] * runs == [
            (entry["component"], entry["action"], entry["resource"], entry["granted"]) for entry in entries
        ]


@pytest.mark.parametrize("already", ["", 'capabilities = {send = ["x/a/0"]}'])
async def test_what_was_learned_is_enough_when_it_is_pasted(tmp_path: Path, already: str) -> None:
    """The same results without learning, nothing denied, whatever was granted before; nothing more is needed."""
    stages = component("x/h", "hostile", already) + ECHO
    pipeline = await opened(tmp_path, stages, ROUTES, LINES)
    pipeline.learn = True
    learning = await pipeline.run()
    expected = [line[:3] for line in results(tmp_path)]
    assert learning.learned == (
        '[pipeline.grants."x/h"]\n'
        'send = ["x/a/0", "x/gone/0"]\nrequest = ["x/b/0"]\nbroadcast = ["x/b/0"]\nstorage = ["read", "write"]\n'
    )
    file = tmp_path / "pipeline.toml"
    text = file.read_text()
    for pasted in (f"{learning.learned}{text}", f"{text}{learning.learned}"):
        file.write_text(pasted)
        summary = await Pipeline(await open_pipeline(file)).run()
        assert ([b"ok"] * 3, 0, None) == ([line[:2] for line in results(tmp_path)][:3], summary.denied, summary.learned)
        assert expected == [line[:3] for line in results(tmp_path)]


async def test_without_learning_the_same_run_is_denied(tmp_path: Path) -> None:
    """So the run above learned something: each of its six lines is refused, and a request as a message."""
    summary, found = await run(tmp_path, HOSTILE + ECHO, ROUTES, LINES)
    assert [b"err"] * 6 == [line[:3] for line in found]
    assert {DeadLetterReason.DENIED: 5} == summary.dead_letters


async def test_learning_lifts_no_policy(tmp_path: Path) -> None:
    """And does not learn what a policy forbids."""
    pipeline = await opened(tmp_path, HOSTILE + ECHO, ROUTES, LINES[:2], policy("p", "* send x/a/* deny"))
    pipeline.learn = True
    summary = await pipeline.run()
    assert '[pipeline.grants."x/h"]\nrequest = ["x/b/0"]\n' == summary.learned
    assert 1 == summary.denied


def unasked(folder: Path, name: str, more: str) -> str:
    """A hostile component that gets nothing by routes, because its source is empty; only others send to it."""
    (folder / "empty.txt").touch()
    source = '[[source]]\nname = "empty"\nkind = "file"\npath = "empty.txt"\n'
    return f'{source}[[route]]\nfrom = "empty"\nto = "{name}"\n{component(name, "hostile", more)}'


async def test_messages_between_components_are_handled_before_the_end(tmp_path: Path) -> None:
    """Also those of the last line, at a component whose inputs have long ended; then it is shut down."""
    storing = unasked(tmp_path, "x/k", 'config = "shutdown-store done"\ncapabilities = {storage = ["write"]}')
    head = f'[pipeline]\naudit = "audit.jsonl"\n{GRANT}'
    lines = [b"send x|k|0 sleep 20", *(b"send x|k|0 storage-set %d v" % number for number in range(100))]
    summary, _ = await run(tmp_path, HOSTILE + storing, "in > x/h > out", lines, head)
    entries = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_bytes().splitlines()]
    assert Counter({"send": 101, "storage.write": 101}) == Counter(entry["action"] for entry in entries)
    assert ({}, True) == (summary.dead_letters, summary.ok)


async def test_components_are_shut_down_after_those_that_feed_them(tmp_path: Path) -> None:
    """So that what one of them still sends while it comes to an end arrives; the order of the file does not matter."""
    more = 'config = "shutdown-store done"\ncapabilities = {storage = ["write"]}'
    stages = "".join(component(f"x/{name}", "hostile", more) for name in "cab")
    await run(tmp_path, stages, "in > x/a > x/b > x/c > out", [b"none"], '[pipeline]\naudit = "audit.jsonl"\n')
    entries = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_bytes().splitlines()]
    assert ["x/a/0", "x/b/0", "x/c/0"] == [entry["component"] for entry in entries]


@pytest.mark.parametrize("restart", ["temporary", "permanent"])
async def test_a_crash_on_the_last_message_of_another_fails_the_run(tmp_path: Path, restart: str) -> None:
    """The component is not asked any more, and its sender was told that all is well."""
    failing = unasked(tmp_path, "x/k", f'restart = "{restart}"')
    lines = [b"send x|k|0 sleep 20", b"send x|k|0 trap"]
    summary, found = await run(tmp_path, HOSTILE + failing, "in > x/h > out", lines, GRANT)
    assert ([b"ok", b"ok"], 0, False) == (found, summary.errors, summary.ok)
    assert {DeadLetterReason.CRASHED: 1} == summary.dead_letters


async def test_a_topic_carries_messages_to_components_and_sinks(tmp_path: Path) -> None:
    """Each subscriber once, whichever of its patterns cover the topic, and from each publisher."""
    head = "".join(
        f'[[subscribe]]\ntopic = "{topic}"\nto = "{target}"\n'
        for topic, target in [
            ("lines.*", "x/a"),
            ("lines.#", "x/a"),
            ("lines.new", "x/b"),
            ("#", "out"),
            ("old", "x/a"),
        ]
    )
    routes = "in > topic:lines.new, x/a > topic:done.a, x/b > topic:done.b"
    summary, found = await run(tmp_path, ECHO, routes, [b"1", b"2"], head)
    assert Counter({b"1": 3, b"2": 3}) == Counter(found)
    assert [("x/a", 2), ("x/b", 2)] == sorted((stage.id, stage.messages) for stage in summary.stages)
