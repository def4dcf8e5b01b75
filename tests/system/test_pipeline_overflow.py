"""Components of a pipeline that do not hold up what is before them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.core.keys import Key
from airssys_wasm.core.mailboxes import MailboxPolicy, MailboxRule
from airssys_wasm.core.observations import DeadLetterReason
from airssys_wasm.system.pipeline_channel import Channel, InTurn
from airssys_wasm.system.pipeline_file import parse_pipeline
from airssys_wasm.system.pipeline_overflow import PolicyChannel, channel_to
from airssys_wasm.system.pipeline_spec import ComponentSpec
from tests.system.pipelines import component, run

Lost = list[tuple[bytes, DeadLetterReason]]
CAPACITY = 3
CAPACITY_BYTES = 8


def channel(rule: MailboxRule, lost: Lost) -> PolicyChannel:
    """With room for three messages, and a key of one byte."""
    key_of = Key.parse("bytes:0:1").of if rule is MailboxRule.LATEST_BY_KEY else lambda _: b""
    return PolicyChannel(1, CAPACITY, CAPACITY_BYTES, rule=rule, key_of=key_of, lose=lambda *what: lost.append(what))


def expected_put(waiting: list[bytes], lost: Lost, rule: MailboxRule, payload: bytes) -> bool:
    """What a naive list does."""

    def full() -> bool:
        return len(waiting) >= CAPACITY or sum(map(len, waiting)) >= CAPACITY_BYTES

    same = [n for n, other in enumerate(waiting) if other[:1] == payload[:1]] if payload else []
    if rule is MailboxRule.LATEST_BY_KEY and same:
        if sum(map(len, waiting)) - len(waiting[same[0]]) >= CAPACITY_BYTES:
            return False
        lost.append((waiting[same[0]], DeadLetterReason.SUPERSEDED))
        waiting[same[0]] = payload
    elif not full():
        waiting.append(payload)
    elif rule is MailboxRule.DROP_OLDEST:
        while full():
            lost.append((waiting.pop(0), DeadLetterReason.DROPPED_OLDEST))
        waiting.append(payload)
    elif rule is MailboxRule.LATEST_BY_KEY:
        return False
    else:
        reject = rule is MailboxRule.REJECT
        lost.append((payload, DeadLetterReason.MAILBOX_FULL if reject else DeadLetterReason.DROPPED_NEWEST))
    return True


PAYLOADS = st.builds(lambda key, size: key * size, st.sampled_from([b"a", b"b", b"c", b"d"]), st.integers(0, 9))


@given(
    st.sampled_from([rule for rule in MailboxRule if rule is not MailboxRule.WAIT]),
    st.lists(st.none() | st.just("all") | PAYLOADS, max_size=40),
)
def test_a_channel_with_a_policy_does_as_the_naive_one(rule: MailboxRule, steps: list[bytes | str | None]) -> None:
    """Whatever is put and taken: what waits, what was lost and why, what has to wait."""
    lost: Lost = []
    expected_lost: Lost = []
    waiting: list[bytes] = []
    tested = channel(rule, lost)
    for step in steps:
        if step is None:
            assert (waiting.pop(0) if waiting else None) == tested.take_nowait()
        elif isinstance(step, str):
            assert waiting == tested.take_all()
            waiting = []
        else:
            assert expected_put(waiting, expected_lost, rule, step) == tested.put_nowait(step)
        assert expected_lost == lost
        assert (len(waiting), sum(map(len, waiting))) == (len(tested), tested.size)
    assert waiting == tested.take_all()


def test_keys_that_are_gone_are_forgotten() -> None:
    """However many there have been."""
    tested = PolicyChannel(1, 4, 1000, rule=MailboxRule.LATEST_BY_KEY, key_of=bytes, lose=lambda *_: None)
    for number in range(1000):
        assert tested.put_nowait(b"%d" % number)
        tested.take_nowait()
    assert len(tested._places) <= 9


def test_with_several_instances_only_what_finds_no_room_anywhere_is_dropped() -> None:
    """An idle instance comes before the policy of a busy one; the dropping goes round, too."""
    lost: Lost = []
    instances = [channel(MailboxRule.DROP_OLDEST, lost) for _ in range(2)]
    inlet = InTurn(instances)
    for number in range(6):
        assert inlet.put_nowait(b"%d" % number)
    assert [] == lost
    instances[1].take_nowait()
    assert inlet.put_nowait(b"6")
    assert [] == lost
    assert inlet.put_nowait(b"7")
    assert inlet.put_nowait(b"8")
    assert {b"0", b"3"} == {payload for payload, _ in lost}


def test_a_component_that_waits_has_a_plain_channel() -> None:
    """As always."""
    assert Channel is type(channel_to(ComponentSpec("a/b", Path()), 1, lambda *_: None))


SLOW = """
[component.limits]
mailbox_capacity = 4
"""


@pytest.mark.parametrize("rule", ["drop-oldest", "drop-newest"])
async def test_a_slow_component_drops_and_the_source_goes_on(tmp_path: Path, rule: str) -> None:
    """What is dropped is counted and a dead letter, and no error; the first or the last lines get through."""
    lines = [b"sleep 3", *[b"echo %d" % number for number in range(300)]]
    summary, found = await run(
        tmp_path, component("x/a", "hostile", f'mailbox = "{rule}"' + SLOW), "in > x/a > out", lines
    )
    reason = DeadLetterReason.DROPPED_OLDEST if rule == "drop-oldest" else DeadLetterReason.DROPPED_NEWEST
    assert (True, 0) == (summary.ok, summary.errors)
    assert summary.dropped > 0
    assert {reason: summary.dropped} == summary.dead_letters
    assert len(lines) == summary.dropped + summary.stages[0].messages
    numbers = [int(line) for line in found if line.isdigit()]
    assert sorted(numbers) == numbers
    if rule == "drop-oldest":
        assert 299 == numbers[-1]


async def test_latest_by_key_keeps_the_last_of_each(tmp_path: Path) -> None:
    """However many came before; nothing else is lost."""
    lines = [b"sleep 3", *[b"echo %d %d" % (number % 3, number) for number in range(600)]]
    policy = 'mailbox = { rule = "latest-by-key", key = "bytes:5:6" }'
    summary, found = await run(tmp_path, component("x/a", "hostile", policy + SLOW), "in > x/a > out", lines)
    assert (True, 0) == (summary.ok, summary.errors)
    assert {DeadLetterReason.SUPERSEDED: summary.dropped} == summary.dead_letters
    assert len(lines) == summary.dropped + summary.stages[0].messages
    assert {b"597", b"598", b"599"} <= {line.split(b" ")[-1] for line in found}


async def test_what_is_rejected_is_an_error(tmp_path: Path) -> None:
    """It is counted, a dead letter, and the run exits as after any other error."""
    lines = [b"sleep 3", *[b"echo %d" % number for number in range(300)]]
    summary, _ = await run(tmp_path, component("x/a", "hostile", 'mailbox = "reject"' + SLOW), "in > x/a > out", lines)
    assert (False, 0) == (summary.ok, summary.dropped)
    assert summary.errors > 0
    assert {DeadLetterReason.MAILBOX_FULL: summary.errors} == summary.dead_letters
    assert ("the mailbox of x/a/0 is full; its policy is reject",) == summary.samples


@pytest.mark.parametrize("route", ["in > x/b > out", "in > x/a > x/b > out"])
async def test_a_message_whose_json_is_too_long_for_a_key_is_an_error(tmp_path: Path, route: str) -> None:
    """It goes to no instance, rather than to the wrong one; wherever it comes from."""
    keyed = component("x/b", "hostile", 'instances = 2\nkey = "json:id"')
    first = component("x/a", "hostile") if "x/a" in route else ""
    lines = [b"huge 70000" if first else b"x" * 70_000]
    summary, _ = await run(tmp_path, first + keyed, route, lines)
    assert (False, 1) == (summary.ok, summary.errors)
    assert {DeadLetterReason.PAYLOAD_TOO_LARGE: 1} == summary.dead_letters
    assert "of 70000 bytes is over the limit of 65536" in summary.samples[0]


@pytest.mark.parametrize(
    ("text", "policy", "problem"),
    [
        ("", MailboxPolicy(), ""),
        ('mailbox = "reject"', MailboxPolicy("reject"), ""),
        ('mailbox = { rule = "drop-newest" }', MailboxPolicy("drop-newest"), ""),
        ('mailbox = { rule = "latest-by-key", key = "json:id" }', MailboxPolicy("latest-by-key", "json:id"), ""),
        ('mailbox = "drop"', MailboxPolicy(), '[[component]] x/a: mailbox: is not one of "wait"'),
        ('mailbox = "latest-by-key"', MailboxPolicy(), "[[component]] x/a: mailbox: needs a key"),
        ('mailbox = { rule = "reject", key = "json:id" }', MailboxPolicy(), "[mailbox]: key: belongs to latest-by-key"),
        ('mailbox = { key = "json:id" }', MailboxPolicy(), "[[component]] x/a [mailbox]: rule: is missing"),
        ('mailbox = { rule = "reject", size = 1 }', MailboxPolicy("reject"), "[mailbox]: size: is unknown"),
        ("mailbox = 4", MailboxPolicy(), "[[component]] x/a: mailbox: is a whole number, not a string"),
    ],
)
def test_the_policy_is_read_with_all_that_is_wrong_in_it(text: str, policy: MailboxPolicy, problem: str) -> None:
    """A word, or a table of rule and key."""
    draft = parse_pipeline(f'[[component]]\nid = "x/a"\npath = "a.wasm"\n{text}\n', Path("p.toml"))
    assert policy == draft.spec.components[0].mailbox
    assert bool(problem) == bool(draft.problems)
    assert problem in str(draft.problems[0] if draft.problems else "")
