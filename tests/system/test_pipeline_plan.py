"""The graph of a pipeline, against naive oracles."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.core.limits import Limits
from airssys_wasm.system.pipeline_plan import plan_pipeline, reachable, topological_order
from airssys_wasm.system.pipeline_spec import (
    ComponentSpec,
    Framing,
    PipelineSpec,
    RouteSpec,
    SinkKind,
    SinkSpec,
    SourceKind,
    SourceSpec,
)

NAMES = "abcdef"
GRAPHS = st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), unique=True)).map(
    lambda some: {name: some.get(name, []) for name in NAMES}
)


def walks(targets: dict[str, list[str]], start: str) -> set[str]:
    """What can be reached in one step or more, by following every step len(targets) times."""
    found = set(targets[start])
    for _ in targets:
        found |= {target for name in found for target in targets[name]}
    return found


@given(GRAPHS)
def test_a_cycle_is_found_exactly_when_a_name_leads_back_to_itself(targets: dict[str, list[str]]) -> None:
    """And what is named is a closed walk along routes."""
    order, cycles = topological_order(targets)
    assert any(name in walks(targets, name) for name in NAMES) == bool(cycles)
    assert set(NAMES) == set(order)
    for cycle in cycles:
        assert cycle[0] == cycle[-1]
        assert all(target in targets[name] for name, target in pairwise(cycle))


@given(GRAPHS)
def test_each_name_comes_before_its_targets(targets: dict[str, list[str]]) -> None:
    """Unless a cycle makes that impossible."""
    order, cycles = topological_order(targets)
    if not cycles:
        assert all(order.index(name) < order.index(target) for name in NAMES for target in targets[name])


@given(GRAPHS, st.sets(st.sampled_from(NAMES)))
def test_reachable_is_every_start_and_all_its_walks(targets: dict[str, list[str]], starts: set[str]) -> None:
    """Cycles included."""
    assert starts.union(*(walks(targets, start) for start in starts)) == reachable(targets, sorted(starts))


def spec(routes: str, **changes: Any) -> PipelineSpec:
    """A source `in`, components `x/a` and `x/b`, a sink `out`, and routes written as "in>x/a x/a>out"."""
    values: dict[str, Any] = {
        "file": "p.toml",
        "sources": (SourceSpec("in", SourceKind.STDIN),),
        "components": (ComponentSpec("x/a", Path("a.wasm")), ComponentSpec("x/b", Path("b.wasm"))),
        "sinks": (SinkSpec("out", SinkKind.STDOUT),),
        "routes": tuple(RouteSpec(*route.split(">")) for route in routes.split()),
    }
    return PipelineSpec(**(values | changes))


def problems(given_spec: PipelineSpec) -> list[str]:
    """What is wrong, without the name of the file."""
    return [str(problem).removeprefix("p.toml: ") for problem in plan_pipeline(given_spec)[1]]


def test_a_plan_has_components_in_topological_order_and_targets_in_the_order_of_the_file() -> None:
    """Fan-out and fan-in."""
    plan, found = plan_pipeline(spec("x/b>out in>x/b x/a>out x/a>x/b in>x/a"))
    assert found == []
    assert [component.id for component in plan.components] == ["x/a", "x/b"]
    assert {"in": ("x/b", "x/a"), "x/a": ("out", "x/b"), "x/b": ("out",), "out": ()} == plan.targets


GOOD = "in>x/a x/a>x/b x/b>out"


@pytest.mark.parametrize(
    ("routes", "changes", "expected"),
    [
        (GOOD, {}, []),
        (f"{GOOD} x/b>x/a", {}, ["[[route]]: routes form a cycle: x/a -> x/b -> x/a"]),
        (f"{GOOD} x/a>x/a", {}, ["[[route]]: routes form a cycle: x/a -> x/a"]),
        (f"{GOOD} in>x/c", {}, ['[[route]] in -> x/c: to: "x/c" is no source, component or sink']),
        (f"{GOOD} y>out", {}, ['[[route]] y -> out: from: "y" is no source, component or sink']),
        (f"{GOOD} in>x/a", {}, ["[[route]] in -> x/a: is there twice"]),
        ("in>x/a x/a>out", {}, ["[[component]] x/b: no route leads here from a source"]),
        (
            "in>x/a x/b>out",
            {},
            ["[[component]] x/b: no route leads here from a source", "[[sink]] out: no route leads here from a source"],
        ),
        (
            GOOD,
            {"sources": (SourceSpec("in", SourceKind.STDIN), SourceSpec("more", SourceKind.STDIN))},
            ["[[source]] more: kind: stdin is already [[source]] in", "[[source]] more: has no route from it"],
        ),
        (
            GOOD,
            {"sinks": (SinkSpec("out", SinkKind.STDOUT), SinkSpec("in", SinkKind.FILE, Path("f")))},
            ['[[source]] in: name: "in" is the name of more than one source, component or sink'],
        ),
        (
            GOOD,
            {
                "sources": (SourceSpec("in", SourceKind.FILE, Path("f")),),
                "sinks": (SinkSpec("out", SinkKind.FILE, Path("f")),),
            },
            ["[[sink]] out: path: f is already [[source]] in"],
        ),
        (
            GOOD,
            {"sources": (SourceSpec("in", SourceKind.STDIN, None, Framing.BLOCK, 2**20 + 1),)},
            ["[[source]] in: block_bytes: 1048577 is over max_payload_bytes = 1048576 of x/a"],
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(routes: str, changes: dict[str, Any], expected: list[str]) -> None:
    """Each mistake alone."""
    assert expected == problems(spec(routes, **changes))


def test_a_sink_gives_nothing_and_a_source_takes_nothing() -> None:
    """Both ends of a wrong route are named."""
    found = problems(spec(f"{GOOD} out>in"))
    assert '[[route]] out -> in: from: "out" is a sink; nothing comes out of it' in found
    assert '[[route]] out -> in: to: "in" is a source; nothing goes into it' in found


def test_a_last_component_needs_no_route_from_it() -> None:
    """Its answers go nowhere, which may be meant: it stores, or sends to others."""
    assert problems(spec("in>x/a in>x/b x/a>out")) == []


def test_limits_of_the_block_are_those_of_its_own_targets() -> None:
    """A larger limit further on, or of another component, changes nothing."""
    large = ComponentSpec("x/a", Path("a.wasm"), limits=Limits(max_payload_bytes=2**21))
    block = SourceSpec("in", SourceKind.STDIN, None, Framing.BLOCK, 2**21)
    changed = spec(GOOD, components=(large, ComponentSpec("x/b", Path("b.wasm"))), sources=(block,))
    assert problems(changed) == []
