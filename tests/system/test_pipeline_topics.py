"""Topics in a pipeline: what routes to them become, against a naive oracle, and what misses each other."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.messaging.topics import Subscriptions
from airssys_wasm.system.pipeline_plan import plan_pipeline
from airssys_wasm.system.pipeline_spec import (
    ComponentSpec,
    PipelineSpec,
    RouteSpec,
    SinkKind,
    SinkSpec,
    SourceKind,
    SourceSpec,
    SubscribeSpec,
)
from airssys_wasm.system.pipeline_topics import topic_warnings

WORDS = st.sampled_from(["a", "b", "*", "#"])
PATTERNS = st.lists(WORDS, min_size=1, max_size=3).map(".".join).filter(lambda text: "#" not in text[:-1])
TOPICS = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=3).map(".".join)
TAKERS = st.sampled_from(["x/a", "x/b", "out"])


def spec(routes: str, subscriptions: str = "", **changes: Any) -> PipelineSpec:
    """A source `in`, components `x/a` and `x/b`, a sink `out`; routes as "in>x/a", subscriptions as "a.*>x/a"."""
    values: dict[str, Any] = {
        "file": "p.toml",
        "sources": (SourceSpec("in", SourceKind.STDIN),),
        "components": (ComponentSpec("x/a", Path("a.wasm")), ComponentSpec("x/b", Path("b.wasm"))),
        "sinks": (SinkSpec("out", SinkKind.STDOUT),),
        "routes": tuple(RouteSpec(*route.split(">")) for route in routes.split()),
        "subscriptions": tuple(SubscribeSpec(*text.split(">")) for text in subscriptions.split()),
    }
    return PipelineSpec(**(values | changes))


def problems(given_spec: PipelineSpec) -> list[str]:
    """What is wrong, without the name of the file."""
    return shown(plan_pipeline(given_spec)[1])


def shown(found: Iterable[object]) -> list[str]:
    """Problems without the name of the file."""
    return [str(problem).removeprefix("p.toml: ") for problem in found]


@given(st.lists(st.tuples(PATTERNS, TAKERS)), st.lists(TOPICS, min_size=1), st.lists(TAKERS))
def test_a_route_to_a_topic_leads_to_its_subscribers_each_once(
    subscriptions: list[tuple[str, str]], topics: list[str], direct: list[str]
) -> None:
    """They are those that host code would publish to; whoever a route leads to as well still gets a message once."""
    subscribed: Subscriptions = Subscriptions()
    for pattern, target in subscriptions:
        subscribed.add(pattern, target)  # type: ignore[arg-type] # it asks nothing of a target but to be equal
    expected = {*direct, *(str(target) for topic in topics for target in subscribed.subscribers(topic))}
    routes = tuple(RouteSpec("in", target) for target in [*(f"topic:{topic}" for topic in topics), *direct])
    listed = tuple(SubscribeSpec(*one) for one in subscriptions)
    plan, _ = plan_pipeline(attrs.evolve(spec(""), routes=routes, subscriptions=listed))
    assert len(plan.targets["in"]) == len(set(plan.targets["in"]))
    assert expected == set(plan.targets["in"])


def test_subscribers_come_in_the_order_of_the_file() -> None:
    """Routes first to last, of each topic the subscriptions first to last."""
    plan, found = plan_pipeline(spec("in>topic:t in>x/a x/a>out", "t>x/b t>out t>x/a"))
    assert ([], ("x/b", "out", "x/a")) == (found, plan.targets["in"])


def test_a_subscriber_comes_after_what_publishes_to_it() -> None:
    """In the order in which components end."""
    plan, found = plan_pipeline(spec("in>x/b x/b>topic:t x/a>out", "t>x/a"))
    assert ([], ["x/b", "x/a"]) == (found, [component.id for component in plan.components])


GOOD = "in>x/a x/a>x/b x/b>out"


@pytest.mark.parametrize(
    ("routes", "subscriptions", "expected"),
    [
        (
            f"{GOOD} x/b>topic:back",
            "#>x/a",
            ["[[route]]: routes form a cycle: x/a -> x/b -> topic:back -> x/a"],
        ),
        (f"{GOOD} x/a>topic:a.b", "a.*>x/a", ["[[route]]: routes form a cycle: x/a -> topic:a.b -> x/a"]),
        (f"{GOOD} in>topic:t", "t>x/c", ['[[subscribe]] t -> x/c: to: "x/c" is no component or sink']),
        (
            f"{GOOD} in>topic:t",
            "t>in",
            [
                '[[subscribe]] t -> in: to: "in" is a source; nothing goes into it',
                "[[route]]: routes form a cycle: in -> topic:t -> in",
            ],
        ),
        (f"{GOOD} in>topic:t", "t>x/a t>x/a", ["[[subscribe]] t -> x/a: is there twice"]),
        (f"{GOOD} in>topic:t in>topic:t", "t>x/a", ["[[route]] in -> topic:t: is there twice"]),
        (
            f"{GOOD} topic:t>x/a",
            "t>x/a",
            ['[[route]] topic:t -> x/a: from: "topic:t" is no source, component or sink'],
        ),
        ("in>x/a x/a>out", "t>x/b", ["[[component]] x/b: no route leads here from a source"]),
    ],
)
def test_what_is_wrong_is_named_with_its_place(routes: str, subscriptions: str, expected: list[str]) -> None:
    """Each mistake alone."""
    assert expected == problems(spec(routes, subscriptions))


def test_no_name_begins_as_a_topic_does() -> None:
    """Routes could not tell them apart."""
    sinks = (SinkSpec("topic:t", SinkKind.STDOUT),)
    assert '[[sink]] topic:t: name: "topic:t" begins as a topic does: topic:' in problems(spec(GOOD, sinks=sinks))


@pytest.mark.parametrize(
    ("routes", "subscriptions", "expected"),
    [
        (GOOD, "", []),
        (f"{GOOD} in>topic:a.b", "a.*>x/a", []),
        (
            f"{GOOD} in>topic:a.b x/a>topic:a.b",
            "a>x/a",
            [
                "[[route]] in -> topic:a.b: to: nobody subscribes to this topic",
                "[[subscribe]] a -> x/a: topic: no route leads to a topic that it covers",
            ],
        ),
    ],
)
def test_topics_and_subscriptions_that_miss_each_other_are_warnings(
    routes: str, subscriptions: str, expected: list[str]
) -> None:
    """One for each topic, one for each subscription; the pipeline can be run all the same."""
    given_spec = spec(routes, subscriptions)
    assert ([], expected) == (problems(given_spec), shown(topic_warnings(given_spec)))


def test_a_source_whose_only_topic_has_no_subscribers_is_a_warning_too() -> None:
    """It is read, and nobody gets it, as a topic's publisher must expect."""
    more = (SourceSpec("in", SourceKind.STDIN), SourceSpec("f", SourceKind.FILE, Path("f")))
    assert [] == problems(spec(f"{GOOD} f>topic:t", sources=more))
