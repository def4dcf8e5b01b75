"""How a pipeline hangs together: who feeds whom, in which order things end, and what is wrong with that (pure)."""

import graphlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import attrs

from airssys_wasm.core.problems import Problem
from airssys_wasm.system.pipeline_spec import TOPIC_PREFIX, ComponentSpec, PipelineSpec, SinkSpec, SourceSpec
from airssys_wasm.system.pipeline_supervisors import Supervised, grow
from airssys_wasm.system.pipeline_topics import subscription_problems, ways

Node = SourceSpec | ComponentSpec | SinkSpec


@attrs.frozen
class Plan:
    """A pipeline that can run: `targets` of each source and component by name, components in topological order.

    `supervisors` are those that are under none, in the order of the file.
    """

    spec: PipelineSpec
    order: tuple[str, ...]
    targets: Mapping[str, tuple[str, ...]]
    supervisors: tuple[Supervised, ...] = ()

    @property
    def components(self) -> tuple[ComponentSpec, ...]:
        """The components, each after all that feed it."""
        by_id = {component.id: component for component in self.spec.components}
        return tuple(by_id[name] for name in self.order)


def plan_pipeline(spec: PipelineSpec) -> tuple[Plan, list[Problem]]:
    """Resolve the routes and topics of a spec; the plan is to be used only when there is no problem."""
    targets = _targets(spec)
    order, cycles = topological_order(targets)
    problems = [
        *_name_problems(spec),
        *_route_problems(spec),
        *_resource_problems(spec),
        *_block_problems(spec, targets),
    ]
    problems += [Problem(spec.file, "[[route]]", "", f"routes form a cycle: {_walk(spec, cycle)}") for cycle in cycles]
    problems += _loose_ends(spec, targets)
    supervisors, misplaced = grow(spec)
    ids = {component.id for component in spec.components}
    return Plan(spec, tuple(name for name in order if name in ids), targets, supervisors), [*problems, *misplaced]


def node_name(node: Node) -> str:
    """What routes call a source, component or sink."""
    return node.id if isinstance(node, ComponentSpec) else node.name


def topological_order(targets: Mapping[str, Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """All names so that each comes before its targets, and the cycles that prevent it.

    Of each cycle found, the route that closes it is left out and the search goes on: several cycles show at once.
    """
    left = {name: list(names) for name, names in targets.items()}
    cycles: list[list[str]] = []
    while True:
        try:
            return list(graphlib.TopologicalSorter(_inputs(left)).static_order()), cycles
        except graphlib.CycleError as exc:
            cycle = exc.args[1]  # each name is fed by the one before it, the last is the first again
            cycles.append(cycle)
            left[cycle[0]].remove(cycle[1])


def _inputs(targets: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    inputs: dict[str, list[str]] = {name: [] for name in targets}
    for name, names in targets.items():
        for target in names:
            inputs[target].append(name)
    return inputs


def reachable(targets: Mapping[str, Sequence[str]], starts: Sequence[str]) -> set[str]:
    """The starts and all that routes lead to from them."""
    seen: set[str] = set()
    waiting = list(starts)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += targets.get(name, ())
    return seen


def _nodes(spec: PipelineSpec) -> tuple[Node, ...]:
    return (*spec.sources, *spec.components, *spec.sinks)


def _targets(spec: PipelineSpec) -> dict[str, tuple[str, ...]]:
    """The targets of each name, in the order of the file; routes that name nothing are left out, doubles too."""
    targets: dict[str, list[str]] = {node_name(node): [] for node in _nodes(spec)}
    for way in ways(spec):
        if {way.origin, way.target} <= targets.keys() and way.target not in targets[way.origin]:
            targets[way.origin].append(way.target)
    return {name: tuple(found) for name, found in targets.items()}


def _walk(spec: PipelineSpec, names: Sequence[str]) -> str:
    """A walk along routes as a text, with the topics that it goes by."""
    steps = {(way.origin, way.target): str(way) for way in reversed(list(ways(spec)))}
    return " -> ".join([names[0], *(steps[step] for step in pairwise(names))])


def _name_problems(spec: PipelineSpec) -> Iterator[Problem]:
    """Sources, components and sinks share one space of names, since routes tell them apart by nothing else."""
    if not spec.sources:
        yield Problem(spec.file, "", "", "has no [[source]]")
    count = Counter(node_name(node) for node in _nodes(spec))
    for node in _nodes(spec):
        name, key = node_name(node), "id" if isinstance(node, ComponentSpec) else "name"
        if count[name] > 1 and name != "?":
            count[name] = 0
            yield Problem(
                spec.file, node.table, key, f'"{name}" is the name of more than one source, component or sink'
            )
        if name.startswith(TOPIC_PREFIX):
            yield Problem(spec.file, node.table, key, f'"{name}" begins as a topic does: {TOPIC_PREFIX}')


def _route_problems(spec: PipelineSpec) -> Iterator[Problem]:
    names = {node_name(node) for node in _nodes(spec)}
    sources, sinks = {source.name for source in spec.sources}, {sink.name for sink in spec.sinks}
    seen = set()
    for route in spec.routes:
        for key, name in (("from", route.origin), ("to", route.target)):
            if name and name not in names and not (key == "to" and route.topic is not None):
                yield Problem(spec.file, route.table, key, f'"{name}" is no source, component or sink')
        if route.origin in sinks - sources:
            yield Problem(spec.file, route.table, "from", f'"{route.origin}" is a sink; nothing comes out of it')
        if route.target in sources - sinks:
            yield Problem(spec.file, route.table, "to", f'"{route.target}" is a source; nothing goes into it')
        if route in seen:
            yield Problem(spec.file, route.table, "", "is there twice")
        seen.add(route)
    yield from subscription_problems(spec, names - sources | sinks, sources)


def _resource_problems(spec: PipelineSpec) -> Iterator[Problem]:
    """One reader for stdin, one writer for each output, and no output over an input or another output."""
    taken: dict[Path | str, str] = {}
    nodes: tuple[SourceSpec | SinkSpec, ...] = (*spec.sources, *spec.sinks)
    places = [(node.path or node.kind, node.table, "path" if node.path else "kind") for node in nodes]
    files = (("storage", spec.storage), ("audit", spec.audit))
    places += [(path, "[pipeline]", key) for key, path in files if path is not None]
    for number, (place, table, key) in enumerate(places):
        shared = number < len(spec.sources) and isinstance(place, Path)
        if place in taken and not shared:
            yield Problem(spec.file, table, key, f"{place} is already {taken[place]}")
        taken.setdefault(place, table if table != "[pipeline]" else f"[pipeline] {key}")


def _block_problems(spec: PipelineSpec, targets: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """A block that no target would take is a mistake in the file, not one error a message."""
    components = {component.id: component for component in spec.components}
    for source in spec.sources:
        for component in map(components.get, targets[source.name]):
            limit = component.most_payload_bytes if component else None
            if component and limit is not None and (source.block_bytes or 0) > limit:
                text = f"{source.block_bytes} is over max_payload_bytes = {limit} of {component.id}"
                yield Problem(spec.file, source.table, "block_bytes", text)


def _loose_ends(spec: PipelineSpec, targets: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """Whatever gets nothing is a mistake; a last component whose answers go nowhere may be meant."""
    publishers = {route.origin for route in spec.routes if route.topic is not None}
    for source in spec.sources:
        if not targets[source.name] and source.name not in publishers:
            yield Problem(spec.file, source.table, "", "has no route from it")
    reached = reachable(targets, [source.name for source in spec.sources])
    nodes: tuple[Node, ...] = (*spec.components, *spec.sinks)
    for node in nodes:
        if node_name(node) not in reached:
            yield Problem(spec.file, node.table, "", "no route leads here from a source")
