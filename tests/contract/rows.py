"""Rows of the contract's table, and how one is played: who is told what, and what it answers to that.

The cast of a play is loaded as the steps name it:

| name | is |
|---|---|
| asker, target, target2 | the hostile guest; the asker has the row's grants and limits, the others may do anything |
| echo | the echo guest |
| small | the hostile guest, which takes 10 bytes at most |
| shy | the hostile guest, which receives from nobody |
| full | the hostile guest, asleep, with a full mailbox |
| failed | the hostile guest, its restarts used up |
"""

import re
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar, final

import attrs

from airssys_wasm import Capabilities, Limits
from tests.contract.stage import EVERYTHING, Actor, Stage

UUID4: Final = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
NAMED: Final = re.compile(r"(?:target2?|echo|small|shy|full|failed)(?=\|)")

Step = tuple[str, str, str | re.Pattern[str]]
"""Who is told what, and the answer: the text itself, or a pattern of all of it."""


@final
@attrs.frozen(kw_only=True)
class Row:
    """One behaviour of host functions.

    `covers` names the parts of the contract that it shows, `interface.function: ok` or `interface.function: case`.
    """

    covers: tuple[str, ...]
    behaviour: str
    steps: tuple[Step, ...]
    may: Capabilities = EVERYTHING
    limits: Limits = attrs.field(factory=Limits)

    def cast(self) -> list[str]:
        """Who takes part, the asker first."""
        spoken_to = [who for who, _, _ in self.steps]
        spoken_of = [name for _, command, _ in self.steps for name in NAMED.findall(command)]
        return list(dict.fromkeys(["asker", *spoken_of, *spoken_to]))


Test = TypeVar("Test", bound=Callable[..., object])


def shows(*covers: str) -> Callable[[Test], Test]:
    """Say which parts of the contract a test that is no row shows."""

    def marked(test: Test) -> Test:
        test.__dict__["covers"] = covers
        return test

    return marked


_LOADS: Final[Mapping[str, Callable[[Stage], Coroutine[Any, Any, Actor]]]] = {
    "target": lambda stage: stage.load("target"),
    "target2": lambda stage: stage.load("target2"),
    "echo": lambda stage: stage.load("echo", "echo"),
    "small": lambda stage: stage.load("small", limits=Limits(max_payload_bytes=10)),
    "shy": lambda stage: stage.load("shy", capabilities=Capabilities(receive_from=[])),
    "full": lambda stage: stage.load_full(),
    "failed": lambda stage: stage.load_failed(),
}


async def load_cast(row: Row, stage: Stage) -> dict[str, Actor]:
    """Everybody of a row but the asker, by name."""
    return {name: await _LOADS[name](stage) for name in row.cast()[1:]}


async def check(actors: dict[str, Actor], step: Step) -> None:
    """Take one step; it answers what it has to."""
    who, command, expected = step
    answer = await actors[who].say(command)
    if isinstance(expected, str):
        assert expected == answer, f"{who}: {command}"
    else:
        assert expected.fullmatch(answer), f"{who}: {command}\n{answer}"


async def play(row: Row, stage: Stage) -> None:
    """Go through a row's steps with the hostile guest as the asker."""
    asker = await stage.load("asker", capabilities=row.may, limits=row.limits)
    actors = {"asker": asker} | await load_cast(row, stage)
    for step in row.steps:
        await check(actors, step)
