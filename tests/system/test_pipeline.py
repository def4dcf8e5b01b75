"""Pipelines of real components: what comes out, in which order, and what happens at the end."""

from collections import Counter
from pathlib import Path

import anyio
import pytest

from airssys_wasm.core.errors import InvalidComponent, PipelineInvalid
from airssys_wasm.core.observations import DeadLetter, DeadLetterReason
from airssys_wasm.system.pipeline import Pipeline
from airssys_wasm.system.pipeline_summary import PipelineSummary
from tests.system.pipelines import component, opened, results, run

ECHO = component("x/a", "echo") + component("x/b", "echo")
HOSTILE = component("x/h", "hostile")
HOSTILE_ROUTES = "in > x/h > out"


async def test_a_chain_keeps_the_order_of_its_source(tmp_path: Path) -> None:
    """Whatever is in the lines; each stage is asked once a line."""
    lines = [b"%d \xff\0 %s" % (number, b"x" * (number % 300)) for number in range(3000)] + [b"", b"\r"]
    summary, found = await run(tmp_path, ECHO, "in > x/a > x/b > out", lines)
    assert lines == found
    assert (3002, 3002, 0, 0, True) == (summary.messages, summary.results, summary.errors, summary.lost, summary.ok)
    assert [("x/a", 3002, 3002), ("x/b", 3002, 3002)] == [(s.id, s.messages, s.answers) for s in summary.stages]
    assert summary.bytes_read == (tmp_path / "in.txt").stat().st_size


async def test_routes_fan_out_and_in(tmp_path: Path) -> None:
    """Every target gets every message; a source may lead to a sink directly."""
    lines = [b"%d" % number for number in range(500)]
    _, found = await run(tmp_path, ECHO, "in > x/a > out, in > x/b > out, in > out", lines)
    assert Counter(lines * 3) == Counter(found)


async def test_none_passes_nothing_on_and_an_empty_answer_is_one(tmp_path: Path) -> None:
    """They are different answers."""
    summary, found = await run(tmp_path, HOSTILE, HOSTILE_ROUTES, [b"none", b"empty", b"echo x", b"none"])
    assert [b"", b"x"] == found
    assert summary.ok


async def test_an_empty_input_gives_nothing(tmp_path: Path) -> None:
    """And is no error."""
    summary, found = await run(tmp_path, ECHO, "in > x/a > x/b > out")
    assert [] == found
    assert (0, True) == (summary.messages, summary.ok)


async def test_errors_and_crashes_are_counted_and_the_run_goes_on(tmp_path: Path) -> None:
    """Their inputs are dead letters with the reason; the crashed component is there again for the next line."""
    lines = [b"echo 1", b"err timeout", b"trap", b"echo 2", b"huge 2000000", b"echo 3"]
    summary, found, letters = await run_watched(await opened(tmp_path, HOSTILE, HOSTILE_ROUTES, lines))
    assert [b"1", b"2", b"3"] == found
    assert (6, 3, False, None) == (summary.messages, summary.errors, summary.ok, summary.failure)
    assert [2] == [stage.restarts for stage in summary.stages]
    assert [
        (DeadLetterReason.GUEST_ERROR, b"err timeout"),
        (DeadLetterReason.CRASHED, b"trap"),
        (DeadLetterReason.CRASHED, b"huge 2000000"),
    ] == [(letter.reason, letter.message.payload.data) for letter in letters]
    assert {DeadLetterReason.GUEST_ERROR: 1, DeadLetterReason.CRASHED: 2} == summary.dead_letters
    assert "x/h/0: timeout" in summary.samples


async def run_watched(pipeline: Pipeline) -> tuple[PipelineSummary, list[bytes], list[DeadLetter]]:
    """Run a pipeline and read the dead letters of its system."""
    letters: list[DeadLetter] = []

    async def read_letters() -> None:
        while pipeline.system is None:  # noqa: ASYNC110 - it is there after a turn of the loop
            await anyio.sleep(0.001)
        letters.extend([letter async for letter in pipeline.system.dead_letters()])

    async with anyio.create_task_group() as group:
        group.start_soon(read_letters)
        summary = await pipeline.run()
    return summary, results(pipeline.plan.spec.sinks[0].path.parent), letters  # type: ignore[union-attr] # a file


async def test_on_error_stop_ends_the_run_at_the_first_error(tmp_path: Path) -> None:
    """What was answered before is written, what is under way is lost and said to be."""
    lines = [b"echo 1", b"err timeout", *[b"echo 2"] * 20]
    summary, found = await run(tmp_path, HOSTILE, HOSTILE_ROUTES, lines, '[pipeline]\non_error = "stop"')
    assert [b"1"] == found
    assert (1, 20, "x/h/0: timeout") == (summary.errors, summary.lost, summary.failure)
    assert {DeadLetterReason.GUEST_ERROR: 1, DeadLetterReason.WITHDRAWN: 20} == summary.dead_letters


@pytest.mark.parametrize(("restart", "traps"), [("temporary", 1), ("transient", 4)])
async def test_a_component_that_has_failed_ends_the_run(tmp_path: Path, restart: str, traps: int) -> None:
    """A temporary one with its first crash, others when the supervisor gives up."""
    lines = [b"echo 1", *[b"trap"] * traps, *[b"echo 2"] * 500]
    failing = component("x/h", "hostile", f'restart = "{restart}"')
    summary, found = await run(tmp_path, failing + ECHO, "in > x/h > out, in > x/a > x/b > out", lines)
    assert b"1" in found
    assert b"2" not in found
    assert summary.failure is not None
    assert summary.failure.startswith("x/h/0 will not run again")
    assert not summary.ok


async def test_a_component_that_fails_on_the_last_message_ends_the_run_too(tmp_path: Path) -> None:
    """There is no next message to find it out with."""
    summary, _ = await run(tmp_path, component("x/h", "hostile", 'restart = "temporary"'), HOSTILE_ROUTES, [b"trap"])
    assert summary.failure is not None
    assert summary.failure.startswith("x/h/0 will not run again: crashed: ")
    assert 1 == summary.errors


async def test_each_instance_is_flushed_once_after_its_last_message(tmp_path: Path) -> None:
    """Hostile answers err to an empty payload, so the errors count the flushes; echo, which lists none, gets none."""
    flushing = component("x/h", "hostile", 'instances = 3\nkey = "bytes:0:9"\nconfig = "metadata-flush"')
    lines = [b"echo %d" % number for number in range(100)]
    summary, found = await run(tmp_path, flushing + ECHO, "in > x/h > x/a > out, in > x/b > out", lines)
    assert 200 == len(found)
    assert (3, 100) == (summary.errors, summary.stages[summary_place(summary, "x/a")].messages)


def summary_place(summary: PipelineSummary, name: str) -> int:
    """Where a stage is in the summary."""
    return [stage.id for stage in summary.stages].index(name)


async def test_instances_take_messages_in_turn(tmp_path: Path) -> None:
    """Hostile says which instance it is."""
    three = component("x/h", "hostile", 'instances = 3\nconfig = "metadata-stateless"')
    _, found = await run(tmp_path, three, HOSTILE_ROUTES, [b"self-id"] * 30)
    assert {b"x/h/0": 10, b"x/h/1": 10, b"x/h/2": 10} == Counter(found)


async def test_a_key_always_meets_the_same_instance(tmp_path: Path) -> None:
    """Each counter sees all messages of its keys: the highest count of one is the number of its messages."""
    keyed = component("x/c", "counter", 'instances = 3\nkey = "json:user"')
    lines = [b'{"user": "%d", "n": %d}' % (number % 7, number) for number in range(210)]
    pipeline = await opened(tmp_path, keyed, "in > x/c > out", lines)
    key = pipeline.plan.components[0].key
    assert key is not None
    shares = Counter(key.instance(line, 3) for line in lines)
    await pipeline.run()
    expected = [b"%d" % (number + 1) for share in shares.values() for number in range(share)]
    assert sorted(expected) == sorted(results(tmp_path))


async def test_a_stateful_component_without_a_key_has_one_instance(tmp_path: Path) -> None:
    """Anything else is refused before a line is read, and leaves the old results alone."""
    (tmp_path / "out.txt").write_bytes(b"old\n")
    with pytest.raises(PipelineInvalid) as caught:
        await run(tmp_path, component("x/c", "counter", "instances = 2"), "in > x/c > out", [b"x"])
    assert "pipeline.toml: [[component]] x/c: instances: is stateful; 2 instances need a key" in str(caught.value)
    assert [b"old"] == results(tmp_path)


async def test_a_line_over_the_limit_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    """Whether the source cut it or a later stage refused it; the sample of it is in the dead letters."""
    small = component("x/a", "echo", "limits = {max_payload_bytes = 1000}")
    smaller = component("x/b", "echo", "limits = {max_payload_bytes = 10}")
    lines = [b"short", b"x" * 200_000, b"y" * 500, b"end"]
    pipeline = await opened(tmp_path, small + smaller, "in > x/a > x/b > out", lines)
    summary, found, letters = await run_watched(pipeline)
    assert [b"short", b"end"] == found
    assert (4, 2) == (summary.messages, summary.errors)
    assert [("x/a/0", 256), ("x/b/0", 500)] == [(str(lost.target), len(lost.message.payload)) for lost in letters]
    assert any("200000 bytes" in text for text in summary.samples)


async def test_a_component_gets_its_configuration_limits_and_environment(tmp_path: Path) -> None:
    """Exactly what the file says."""
    more = 'config = {n = 1}\nenv = {A = "b"}\nlimits = {max_fuel = 100000000}'
    _, found = await run(tmp_path, component("x/h", "hostile", more), HOSTILE_ROUTES, [b"env"])
    assert [b"env A=b", b'config {"n": 1}'] == found[:2]
    assert b"max-fuel 100000000" in found


async def test_grants_let_components_send_and_routes_need_none(tmp_path: Path) -> None:
    """A component without a grant reaches nobody by itself, but takes part in the pipeline."""
    grants = '[pipeline.grants."x/h"]\nsend = ["x/a/*"]'
    lines = [b"send x|a|0 hello", b"send x|b|0 hello"]
    _, found = await run(tmp_path, HOSTILE + ECHO, "in > x/h > out, in > x/a, in > x/b", lines, grants)
    assert found[0] == b"ok"
    assert found[1].startswith(b"err delivery-failed")


async def test_what_components_store_is_there_in_the_next_run(tmp_path: Path) -> None:
    """In the file that the pipeline names, with the capability that it grants."""
    storing = component("x/h", "hostile", 'capabilities = {storage = ["read", "write"]}')
    head = '[pipeline]\nstorage = "state.db"\n'
    _, found = await run(tmp_path, storing, HOSTILE_ROUTES, [b"storage-get k", b"storage-set k v"], head)
    assert [b"ok none", b"ok"] == found
    _, found = await run(tmp_path, storing, HOSTILE_ROUTES, [b"storage-get k"], head)
    assert [b"ok some v"] == found


async def test_a_component_that_cannot_run_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    """With its path."""
    (tmp_path / "bad.wasm").write_bytes(b"no component")
    bad = f'[[component]]\nid = "x/a"\npath = "{tmp_path}/bad.wasm"\n'
    with pytest.raises(InvalidComponent, match=r"bad\.wasm"):
        await run(tmp_path, bad, "in > x/a > out", [b"x"])
