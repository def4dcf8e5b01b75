"""Who may do what in a pipeline, because of what, and which of its words on that have no effect (pure).

Routes need no grant and are no part of this: it is about what components do by themselves.
"""

from collections.abc import Iterator

import attrs

from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.problems import Problem
from airssys_wasm.security.explain import Clause, Explanation, Unmatched
from airssys_wasm.security.guard import Guard
from airssys_wasm.system.pipeline_plan import Plan
from airssys_wasm.system.pipeline_spec import ComponentSpec, PipelineSpec
from airssys_wasm.system.pipeline_topics import topic_warnings


@attrs.frozen
class Access:
    """What some instances of one component may do: those for which the same rules hold."""

    component: str
    instances: tuple[ComponentId, ...]
    explanation: Explanation

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """The grants, then the rules in the order in which they are asked."""
        return self.explanation.held + self.explanation.rules

    def __str__(self) -> str:
        _, *lines = str(self.explanation).splitlines()
        first, last = self.instances[0], self.instances[-1]
        return "\n".join([str(first) if first == last else f"{first} to {last}", *lines])


def access(plan: Plan) -> list[Access]:
    """What each component of a plan may do, in their topological order."""
    guard = _guard(plan.spec)
    return [found for component in plan.components for found in _of_component(guard, component)]


def warnings(spec: PipelineSpec) -> list[Problem]:
    """What is said in a pipeline to no effect: patterns, topics and subscriptions that match nothing."""
    ids = [id for component in spec.components for id in _instances(component)]  # noqa: A001 - the stable name
    tables = {str(id): component.table for component in spec.components for id in _instances(component)}  # noqa: A001
    for policy in spec.policies:
        for index in range(len(policy.rules)):
            tables[policy.label(index)] = f"[[policy]] {policy.name} [[rules]] #{index + 1}"
    unmatched = [_warning(spec.file, tables[item.holder], item) for item in _guard(spec).unmatched(ids)]
    return [*topic_warnings(spec), *dict.fromkeys(unmatched)]


def _guard(spec: PipelineSpec) -> Guard:
    """A guard that knows what the run's guard will."""
    guard = Guard(spec.policies)
    for component in spec.components:
        if component.capabilities is not None:
            for id in _instances(component):  # noqa: A001 - the stable name
                guard.grant(id, component.capabilities)
    return guard


def _instances(component: ComponentSpec) -> list[ComponentId]:
    return [component.instance_id(number) for number in range(component.instances)]


def _of_component(guard: Guard, component: ComponentSpec) -> Iterator[Access]:
    """Neighbouring instances with the same rights together; a rule may name some of them only."""
    group: list[Explanation] = []
    for found in map(guard.explain, _instances(component)):
        if group and attrs.evolve(found, component=group[0].component) != group[0]:
            yield _together(component, group)
            group = []
        group.append(found)
    yield _together(component, group)


def _together(component: ComponentSpec, group: list[Explanation]) -> Access:
    return Access(component.id, tuple(found.component for found in group), group[0])


def _warning(file: str, table: str, item: Unmatched) -> Problem:
    """The same warning for all instances of a component, since all hold the same."""
    return Problem(file, table, item.field, str(item).removeprefix(f"{item.holder}: {item.field} "))
