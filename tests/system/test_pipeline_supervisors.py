"""`[[supervisor]]` in pipeline files: which trees they give, what is wrong with them, and what a run makes of them."""

import os
from pathlib import Path
from textwrap import dedent

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm import ComponentId, EventKind
from airssys_wasm.core.problems import Problem
from airssys_wasm.system.pipeline import Pipeline
from airssys_wasm.system.pipeline_file import parse_pipeline
from airssys_wasm.system.pipeline_open import open_pipeline
from airssys_wasm.system.pipeline_spec import ComponentSpec, PipelineSpec, SupervisorSpec
from airssys_wasm.system.pipeline_supervisors import Supervised, grow, outline
from tests.contract.stage import until
from tests.system.pipelines import component, results, run, write

COMPONENTS = tuple(f"x/{letter}" for letter in "abcd")
SUPERVISORS = tuple("pqrs")


def spec_of(text: str) -> tuple[PipelineSpec, list[Problem]]:
    """A pipeline of some components and what the text says of supervisors."""
    head = "".join(f'[[component]]\nid = "{name}"\npath = "p"\n' for name in COMPONENTS)
    draft = parse_pipeline(head + dedent(text), Path("p.toml"))
    return draft.spec, list(draft.problems)


def shape(tree: Supervised) -> str:
    """A tree in one line."""
    inside = [shape(child) if isinstance(child, Supervised) else child.id[2:] for child in tree.children]
    return f"{tree.spec.name}({' '.join(inside)})"


def test_children_are_listed_or_name_their_parent() -> None:
    """First those of the list, in its order; then components, then supervisors, in the order of the file."""
    spec, problems = spec_of("""
        parent = "app"
        [[supervisor]]
        name = "last"
        parent = "app"
        children = ["x/b"]
        [[supervisor]]
        name = "app"
        children = ["x/c", "first", "x/a"]
        [[supervisor]]
        name = "first"
        children = []
        [[component]]
        id = "x/e"
        path = "p"
        parent = "first"
        [[supervisor]]
        name = "alone"
        children = ["x/f"]
        [[component]]
        id = "x/f"
        path = "p"
        parent = "alone"
        """)
    trees, misplaced = grow(spec)
    assert ([], []) == (problems, misplaced)
    assert ["app(c first(e) a d last(b))", "alone(f)"] == [shape(tree) for tree in trees]


def test_every_setting_reaches_the_tree() -> None:
    """With the words of code."""
    spec, problems = spec_of("""
        [[supervisor]]
        name = "app"
        children = ["x/a"]
        strategy = "rest_for_one"
        restart = "transient"
        intensity = 7
        window = 5
        backoff_initial = 0
        backoff_factor = 3
        backoff_max = 9.5
        jitter = 0.5
        shutdown = "brutal"
        """)
    (tree,), _ = grow(spec)
    made = tree.settings
    assert [] == problems
    assert ("app", "rest_for_one", "transient", "brutal") == (made.name, made.strategy, made.restart, made.shutdown)
    assert (7, 5, 0, 3, 9.5, 0.5) == (
        *(made.intensity, made.window, made.backoff_initial, made.backoff_factor, made.backoff_max, made.jitter),
    )


def test_all_mistakes_are_reported_at_once() -> None:
    """Each with file, table and key; those of values by the reader, those of places by the planner."""
    spec, problems = spec_of("""
        parent = "nobody"
        shutdown = []
        [[supervisor]]
        strategy = "all"
        children = ["x/a", "x/a", "x/gone", 3]
        intensity = -1
        widow = 3
        [[supervisor]]
        name = "app"
        children = ["x/a", "app2"]
        parent = "app2"
        [[supervisor]]
        name = "app2"
        children = ["app"]
        parent = "gone"
        [[supervisor]]
        name = "app2"
        window = 0
        shutdown = false
        children = "x/b"
        [[supervisor]]
        name = "a/b"
        [[supervisor]]
        name = "self"
        children = ["self"]
        """)
    _, misplaced = grow(spec)
    assert [str(problem).removeprefix("p.toml: ") for problem in (*problems, *misplaced)] == [
        '[[component]] x/d: shutdown: is none of "brutal", "infinite" and a positive number of seconds: []',
        "[[supervisor]] #1: name: is missing",
        "[[supervisor]] #1: children: has a whole number in it, where only strings belong",
        '[[supervisor]] #1: strategy: is not one of "one_for_one", "one_for_all", "rest_for_one": \'all\'',
        "[[supervisor]] #1: intensity: is negative: -1",
        '[[supervisor]] #1: widow: is unknown; did you mean "window"?',
        "[[supervisor]] app2: children: is a string, not an array",
        "[[supervisor]] app2: window: is not positive: 0",
        '[[supervisor]] app2: shutdown: is none of "brutal", "infinite" and a positive number of seconds: False',
        "[[supervisor]] a/b: name: is empty, or has a character that no name may have: 'a/b'",
        "[[supervisor]] app2: name: is the name of an earlier supervisor",
        '[[supervisor]] ?: children: "x/a" is there twice',
        '[[supervisor]] ?: children: "x/gone" is no component or supervisor',
        '[[supervisor]] app: children: "x/a" is already under "?"',
        '[[component]] x/d: parent: "nobody" is no supervisor',
        '[[supervisor]] app2: parent: "gone" is no supervisor',
        "[[supervisor]] a/b: children: are none: nothing is under this supervisor",
        "[[supervisor]]: supervisors form a cycle: app -> app2 -> app",
        "[[supervisor]]: supervisors form a cycle: self -> self",
    ]


@given(
    st.dictionaries(st.sampled_from(SUPERVISORS), st.lists(st.sampled_from(COMPONENTS + SUPERVISORS), max_size=4)),
    st.dictionaries(st.sampled_from(COMPONENTS + SUPERVISORS), st.sampled_from(SUPERVISORS)),
)
def test_what_is_found_fine_has_each_name_in_one_place(listed: dict[str, list[str]], parents: dict[str, str]) -> None:
    """Against the sets of who is said to be under whom; whatever is not fine has a problem."""
    spec = PipelineSpec(
        "p.toml",
        components=tuple(ComponentSpec(name, Path(), parent=parents.get(name, "")) for name in COMPONENTS),
        supervisors=tuple(SupervisorSpec(n, tuple(c), parents.get(n, "")) for n, c in sorted(listed.items())),
    )
    said = [(child, name) for name in listed for child in listed[name]]
    said += [(c, name) for c, name in parents.items() if c in (*COMPONENTS, *listed) and (c, name) not in said]
    fine = len({child for child, _ in said}) == len(said) and all({c, n} <= {*COMPONENTS, *listed} for c, n in said)
    fine = fine and {name for _, name in said} == set(listed) and not any(_above(name, said) for name in listed)
    trees, problems = grow(spec)
    assert fine == (not problems)
    if fine:
        assert sorted((c, n) for tree in trees for c, n in _places(tree)) == sorted(said)
        assert [name for name in sorted(listed) if name not in dict(said)] == [tree.spec.name for tree in trees]


def _above(name: str, said: list[tuple[str, str]]) -> bool:
    """Whether a name is above itself, by going up as often as there are steps."""
    place: str | None = name
    for _ in said:
        place = dict(said).get(place or "")
        if place == name:
            return True
    return False


def _places(tree: Supervised) -> list[tuple[str, str]]:
    found = []
    for child in tree.children:
        if isinstance(child, Supervised):
            found += [(child.spec.name, tree.spec.name), *_places(child)]
        else:
            found.append((child.id, tree.spec.name))
    return found


def test_trees_are_shown_as_trees() -> None:
    """With the type, the strategy and the intensity of each supervisor."""
    spec, _ = spec_of("""
        instances = 3
        [[supervisor]]
        name = "app"
        children = ["x/a", "inner", "x/d"]
        [[supervisor]]
        name = "inner"
        strategy = "one_for_all"
        intensity = 1
        window = 2.5
        children = ["x/b", "x/c"]
        """)
    expected = """
        app (permanent, one_for_one, 3 restarts in 60 s)
        ├─ x/a (transient)
        ├─ inner (permanent, one_for_all, 1 restart in 2.5 s)
        │  ├─ x/b (transient)
        │  └─ x/c (transient)
        └─ x/d x 3 (transient)
        """
    assert dedent(expected).strip().splitlines() == list(outline(grow(spec)[0]))


TREE = """
[[supervisor]]
name = "app"
strategy = "{strategy}"
children = ["x/h", "x/b", "x/a"]
"""
THREE = component("x/a", "echo", "instances = 2") + component("x/b", "counter") + component("x/h", "hostile")
ROUTES = "in > x/a > x/h > x/b > out"


async def test_a_tree_starts_in_its_order_restarts_as_a_whole_and_is_stopped_in_reverse(tmp_path: Path) -> None:
    """Whatever the routes say; what was under way is answered all the same, but for the message that crashed.

    The source stays open until all run again: a run does not wait for a component that has nothing left to do.
    """
    file, fifo = write(tmp_path, THREE, ROUTES, (), TREE.format(strategy="rest_for_one")), tmp_path / "in.txt"
    fifo.unlink()
    os.mkfifo(fifo)
    pipeline, held = Pipeline(await open_pipeline(file)), os.open(fifo, os.O_RDWR)
    os.write(held, b"echo 1\necho 2\ntrap\necho 3\necho 4\n")
    started, stopped = list[str](), list[str]()

    async def watch() -> None:
        while pipeline.system is None:
            await anyio.lowlevel.checkpoint()
        async for event in pipeline.system.events():
            if event.kind is EventKind.STARTED:
                started.append(str(event.component))
                if len(started) == 8:
                    os.close(held)
            if event.kind is EventKind.STOPPED:
                stopped.append(str(event.component))

    async with anyio.create_task_group() as beside:
        beside.start_soon(watch)
        with anyio.fail_after(60):
            summary = await pipeline.run()
    order = ["x/h/0", "x/b/0", "x/a/0", "x/a/1"]
    assert (order * 2, order[::-1]) == (started, stopped)
    assert (1, None, 4) == (summary.errors, summary.failure, summary.restarts)
    assert [("x/a", 2), ("x/h", 1), ("x/b", 1)] == [(stage.id, stage.restarts) for stage in summary.stages]
    assert 4 == len(results(tmp_path))


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all"])
async def test_a_tree_that_gives_up_ends_the_run(tmp_path: Path, strategy: str) -> None:
    """The failure names the supervisor; how far the first line came by then depends on who is faster."""
    lines = [b"echo 1", *[b"trap"] * 5, *[b"echo 2"] * 200]
    summary, _ = await run(tmp_path, THREE, ROUTES, lines, TREE.format(strategy=strategy))
    assert not summary.ok
    assert "app gave up on x/h/0: Execution error: wasm trap" in str(summary.failure)


async def test_a_tree_that_gives_up_ends_the_run_though_nothing_is_read_any_more(tmp_path: Path) -> None:
    """Nobody asks the failed component; the source is still open."""
    text = TREE.format(strategy="one_for_one") + "intensity = 0\n"
    file, fifo = write(tmp_path, THREE, ROUTES, (), text), tmp_path / "in.txt"
    fifo.unlink()
    os.mkfifo(fifo)
    pipeline = Pipeline(await open_pipeline(file))
    held = os.open(fifo, os.O_RDWR)
    try:
        async with anyio.create_task_group() as beside:

            async def crash() -> None:
                await until(lambda: bool(pipeline.system and pipeline.system.get(ComponentId("x", "a", "1"))))
                found = pipeline.system and pipeline.system.get(ComponentId("x", "h", "0"))
                assert found is not None
                await found.tell(b"trap")

            beside.start_soon(crash)
            with anyio.fail_after(30):
                summary = await pipeline.run()
    finally:
        os.close(held)
    assert "will not run again: failed: app gave up on x/h/0: " in str(summary.failure)
