"""The `[[supervisor]]` tables of a pipeline file: what they say, and the trees that they give (pure).

A child is named by its supervisor, in `children`, or names it, as `parent`. Children start in this order: those of the
list as listed, then the components that name it, then the supervisors that do, both as in the file.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, final

import attrs

from airssys_wasm.actor.tree_spec import SupervisorSpec as TreeSpec
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.problems import Problem
from airssys_wasm.system.pipeline_spec import ComponentSpec, PipelineSpec, SupervisorSpec
from airssys_wasm.system.pipeline_table import Table, type_name

_PLACEHOLDER: Final = "?"
_SETTINGS: Final = (
    "strategy",
    "restart",
    "intensity",
    "window",
    "backoff_initial",
    "backoff_factor",
    "backoff_max",
    "jitter",
    "shutdown",
)


@attrs.frozen
class _AnyChild:
    """Stands for the children where a setting is looked at alone."""

    id: ComponentId = attrs.field(factory=lambda: ComponentId("any", "child", "0"))


@final
@attrs.frozen
class Supervised:
    """A supervisor with its children in start order."""

    spec: SupervisorSpec
    children: "tuple[Supervised | ComponentSpec, ...]"

    def components(self) -> Iterator[ComponentSpec]:
        """All components below, in start order."""
        for child in self.children:
            if isinstance(child, Supervised):
                yield from child.components()
            else:
                yield child

    @property
    def settings(self) -> TreeSpec[_AnyChild]:
        """With the defaults of what the file does not say."""
        return _settings(self.spec.name, self.spec.settings)


def read_supervisors(root: Table) -> tuple[SupervisorSpec, ...]:
    """All `[[supervisor]]` tables, in their order."""
    return tuple(map(_supervisor, root.tables("supervisor", "name")))


def _supervisor(table: Table) -> SupervisorSpec:
    name = table.text("name")
    if name:
        table.built(lambda: _settings(name, {}), None)
    children = table.take("children", [])
    for child in children:
        if not isinstance(child, str):
            table.note("children", f"has {type_name(type(child))} in it, where only strings belong")
    spec = SupervisorSpec(
        name=name or _PLACEHOLDER,
        children=tuple(child for child in children if isinstance(child, str)),
        parent=table.take("parent", ""),
        settings=table.checked(_SETTINGS, lambda key, value: _settings("any", {key: value})),
    )
    table.finish()
    return spec


def _settings(name: str, settings: Mapping[str, Any]) -> TreeSpec[_AnyChild]:
    """As a tree would have them; raises ConfigError."""
    return TreeSpec(name=name, children=(_AnyChild(),), **settings)  # type: ignore[arg-type]


def grow(spec: PipelineSpec) -> tuple[tuple[Supervised, ...], list[Problem]]:
    """The trees of a pipeline, in the order of the file, and what is wrong with them."""
    family = _Family(spec)
    family.gather()
    return tuple(map(family.tree, family.tops())), family.problems


@attrs.define(eq=False)
class _Family:
    """Who is under whom, while it is found out."""

    spec: PipelineSpec
    problems: list[Problem] = attrs.field(factory=list, init=False)
    supervisors: dict[str, SupervisorSpec] = attrs.field(factory=dict, init=False)
    parents: dict[str, str] = attrs.field(factory=dict, init=False)
    children: dict[str, list[str]] = attrs.field(factory=dict, init=False)
    components: dict[str, ComponentSpec] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.components = {component.id: component for component in self.spec.components}

    def gather(self) -> None:
        """Find who is under whom; what cannot be is a problem."""
        for supervisor in self.spec.supervisors:
            if supervisor.name in self.supervisors and supervisor.name != _PLACEHOLDER:
                self._note(supervisor.table, "name", "is the name of an earlier supervisor")
            self.supervisors.setdefault(supervisor.name, supervisor)
            self.children.setdefault(supervisor.name, [])
        for supervisor in self.spec.supervisors:
            self._adopt_listed(supervisor)
        for component in self.spec.components:
            self._adopt_by_parent(component)
        for supervisor in self.spec.supervisors:
            self._adopt_by_parent(supervisor)
        for supervisor in self.spec.supervisors:
            if not self.children[supervisor.name] and not supervisor.children:
                self._note(supervisor.table, "children", "are none: nothing is under this supervisor")
        self._find_cycles()

    def tops(self) -> Iterator[str]:
        """The supervisors that are under none."""
        return (name for name in self.supervisors if name not in self.parents)

    def tree(self, name: str) -> Supervised:
        """A supervisor and all that is below it."""
        below = self.children[name]
        children = [self.tree(child) if child in self.supervisors else self.components[child] for child in below]
        return Supervised(self.supervisors[name], tuple(children))

    def _adopt_listed(self, supervisor: SupervisorSpec) -> None:
        listed = set[str]()
        for child in supervisor.children:
            if child in listed:
                self._note(supervisor.table, "children", f'"{child}" is there twice')
            elif child not in self.components and child not in self.supervisors:
                self._note(supervisor.table, "children", f'"{child}" is no component or supervisor')
            else:
                self._adopt(child, supervisor.name, supervisor.table, "children")
            listed.add(child)

    def _adopt_by_parent(self, child: ComponentSpec | SupervisorSpec) -> None:
        name = child.id if isinstance(child, ComponentSpec) else child.name
        if not child.parent:
            return
        if child.parent not in self.supervisors:
            self._note(child.table, "parent", f'"{child.parent}" is no supervisor')
        elif self.parents.get(name) != child.parent:
            self._adopt(name, child.parent, child.table, "parent")

    def _adopt(self, child: str, parent: str, table: str, key: str) -> None:
        if child in self.parents:
            self._note(table, key, f'"{child}" is already under "{self.parents[child]}"')
            return
        self.parents[child] = parent
        self.children[parent].append(child)

    def _find_cycles(self) -> None:
        """Go up from each supervisor: nobody has two parents, so a way that comes back is the only one of its cycle."""
        known = set[str]()
        for name in self.supervisors:
            way = [name]
            while way[-1] in self.parents and way[-1] not in known:
                known.add(way[-1])
                way.append(self.parents[way[-1]])
                if way[-1] in way[:-1]:
                    cycle = way[way.index(way[-1]) :]
                    self._note("[[supervisor]]", "", f"supervisors form a cycle: {' -> '.join(reversed(cycle))}")

    def _note(self, table: str, key: str, text: str) -> None:
        self.problems.append(Problem(self.spec.file, table, key, text))


def outline(trees: tuple[Supervised, ...]) -> Iterator[str]:
    """Trees as lines of text, children below their supervisor in start order."""
    for tree in trees:
        yield _headline(tree)
        yield from _lines(tree, "")


def _lines(tree: Supervised, indent: str) -> Iterator[str]:
    for child in tree.children:
        last = child is tree.children[-1]
        lead = f"{indent}{'└─' if last else '├─'} "
        if isinstance(child, Supervised):
            yield f"{lead}{_headline(child)}"
            yield from _lines(child, f"{indent}{'   ' if last else '│  '}")
        else:
            instances = f" x {child.instances}" if child.instances > 1 else ""
            yield f"{lead}{child.id}{instances} ({child.restart})"


def _headline(tree: Supervised) -> str:
    settings = tree.settings
    restarts = f"{settings.intensity} restart{'s' * (settings.intensity != 1)} in {settings.window:g} s"
    return f"{tree.spec.name} ({settings.restart}, {settings.strategy}, {restarts})"
