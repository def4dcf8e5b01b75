"""Who may do what in a pipeline, and what is said in it to no effect."""

from pathlib import Path

from airssys_wasm.security.capabilities import Capabilities
from airssys_wasm.security.policy import Policy, Rule
from airssys_wasm.system.pipeline_access import access, warnings
from airssys_wasm.system.pipeline_plan import plan_pipeline
from airssys_wasm.system.pipeline_spec import (
    ComponentSpec,
    PipelineSpec,
    RouteSpec,
    SinkKind,
    SinkSpec,
    SourceKind,
    SourceSpec,
)


def spec(*components: ComponentSpec, policies: tuple[Policy, ...] = ()) -> PipelineSpec:
    """A pipeline in which each component gets the input."""
    return PipelineSpec(
        file="p.toml",
        sources=(SourceSpec("in", SourceKind.STDIN),),
        components=components,
        routes=tuple(RouteSpec("in", component.id) for component in components),
        sinks=(SinkSpec("out", SinkKind.STDOUT),),
        policies=policies,
    )


def component(name: str, instances: int = 1, capabilities: Capabilities | None = None) -> ComponentSpec:
    """A component of some instances."""
    return ComponentSpec(name, Path("x.wasm"), instances, capabilities=capabilities)


def texts(given: PipelineSpec) -> list[str]:
    """What `access` shows."""
    return [str(found) for found in access(plan_pipeline(given)[0])]


def test_each_component_is_shown_with_what_permits_and_forbids() -> None:
    """Grants, storage, rules in their order, and from whom it receives; routes are no part of it."""
    granted = Capabilities(send=["x/b/*"], request=["x/c/0"], receive_from=["x/b/*"], storage=["read"])
    policy = Policy("p", [Rule("x/b/0", "send", "*", "deny"), Rule("x/a/*", "send", "x/b/0", "deny")])
    assert texts(spec(component("x/a", capabilities=granted), component("x/b"), policies=(policy,))) == [
        (
            'x/a/0\n  may send "x/b/*" (grant)\n  may request "x/c/0" (grant)\n  may storage.read its own '
            "storage (grant)\n"
            '  may not send "x/b/0" (policy "p", rule 2)\n  receives only from ["x/b/*"]'
        ),
        'x/b/0\n  may do nothing\n  may not send "*" (policy "p", rule 1)',
    ]


def test_instances_with_the_same_rights_are_shown_together() -> None:
    """A rule may tell one of them from its neighbours."""
    policy = Policy("p", [Rule("x/a/2", "send", "*", "deny")])
    found = access(plan_pipeline(spec(component("x/a", 5), policies=(policy,)))[0])
    assert [["x/a/0", "x/a/1"], ["x/a/2"], ["x/a/3", "x/a/4"]] == [[*map(str, one.instances)] for one in found]
    assert ["x/a/0 to x/a/1", "x/a/2", "x/a/3 to x/a/4"] == [str(one).splitlines()[0] for one in found]


def test_what_matches_no_component_is_warned_of_once_with_its_place() -> None:
    """However many instances hold it; with what may have been meant."""
    granted = Capabilities(send=["x/b", "x/b/*", "x/a/2"], broadcast=["x/bb/*"], receive_from=["y/*"])
    policy = Policy("p", [Rule("*", "send", "x/b/0", "deny"), Rule("x/c/*", "*", "x/d/0", "deny")])
    found = warnings(spec(component("x/a", 3, granted), component("x/b"), policies=(policy,)))
    assert [str(warning).removeprefix("p.toml: ") for warning in found] == [
        '[[component]] x/a: send: "x/b" matches no component; "x/b/*" would',
        '[[component]] x/a: broadcast: "x/bb/*" matches no component',
        '[[component]] x/a: receive_from: "y/*" matches no component',
        '[[policy]] p [[rules]] #2: component: "x/c/*" matches no component',
        '[[policy]] p [[rules]] #2: resource: "x/d/0" matches no component',
    ]


def test_what_has_an_effect_is_not_warned_of() -> None:
    """Every pattern that matches an instance, a wild card that stands for everything, and the example's file."""
    granted = Capabilities(send=["x/a/1", "*"], receive_from=["x/b/0", "*.0"])
    dotted = component("x/b.0", capabilities=Capabilities(send=["x/a/*"]))
    found = warnings(spec(component("x/a", 2, granted), component("x/b"), dotted))
    assert ['"*.0" matches no component'] == [warning.text for warning in found]
