"""Health and sleep of a pipeline's components: how a file says them, and that they are done."""

from pathlib import Path

import pytest

from airssys_wasm.core.health import HealthCheck
from airssys_wasm.system.pipeline_file import parse_pipeline
from airssys_wasm.system.pipeline_open import open_pipeline
from airssys_wasm.system.pipeline_stage import load_all, system_for
from tests.system.pipelines import component, run, write

HEAD = '[[component]]\nid = "x/a"\npath = "a.wasm"\n'


def test_without_a_word_there_is_neither() -> None:
    """Both are off unless asked for."""
    (spec,) = parse_pipeline(HEAD, Path("p.toml")).spec.components
    assert (None, None) == (spec.health, spec.passivate_after)


def test_an_empty_table_is_a_check_with_the_defaults() -> None:
    """`[component.health]` asks for it."""
    (spec,) = parse_pipeline(HEAD + "[component.health]\n", Path("p.toml")).spec.components
    assert HealthCheck() == spec.health


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("passivate_after = 0", "passivate_after: is not positive and finite: 0"),
        ('passivate_after = "1h"', "passivate_after: is a string, not a number"),
        ("health = true", "health: is a boolean, not a table"),
        ("[component.health]\ninterval = -1", "[health]: interval: is not positive and finite: -1"),
        ("[component.health]\nfailures = 1.5", "[health]: failures: is not a whole number: 1.5"),
        ("[component.health]\nevery = 1", "[health]: every: is unknown; known are interval, timeout, failures"),
    ],
)
def test_a_mistake_is_named(line: str, expected: str) -> None:
    """With its table and its key."""
    (problem,) = parse_pipeline(HEAD + line, Path("p.toml")).problems
    assert expected == str(problem).removeprefix("p.toml: [[component]] x/a").lstrip(": ")


async def test_a_component_that_sleeps_between_lines_answers_all_of_them(tmp_path: Path) -> None:
    """In order; what it does not store it begins anew."""
    lines = [b"%d" % number for number in range(200)]
    sleepy = component("x/a", "echo", "passivate_after = 0.001")
    summary, out = await run(tmp_path, sleepy, "in > x/a > out", lines)
    assert (lines, 0) == (out, summary.errors)


async def test_what_the_file_says_reaches_the_components_alone_and_in_trees(tmp_path: Path) -> None:
    """One is asked for its health, two that nobody feeds sleep, one of them under a supervisor."""
    text = component("x/a", "echo", "[component.health]\ninterval = 0.01")
    text += component("x/b", "echo", "passivate_after = 0.01") + component("x/c", "echo", "passivate_after = 0.01")
    supervisor = '[[supervisor]]\nname = "s"\nchildren = ["x/c"]\n'
    plan = await open_pipeline(write(tmp_path, text + supervisor, "in > x/a > x/b > x/c > out"))
    wanted = {("x/a/0", "health"), ("x/b/0", "passivated"), ("x/c/0", "passivated")}
    async with system_for(plan) as system:
        events = system.events()
        await load_all(system, plan)
        while wanted:
            event = await anext(events)
            wanted.discard((str(event.component), event.kind))
