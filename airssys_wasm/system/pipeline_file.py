"""A pipeline file's text as a spec, with all that is wrong in it (pure).

```toml
[pipeline]                     # all optional
name = "logs"                  # the system's name; default: the file's name
on_error = "count"             # or "stop": the first error ends the run
storage = "state.db"           # default: ":memory:", gone at the end of the run
audit = "audit.jsonl"          # every decision on a message or on storage, one JSON object a line, appended
stop_timeout = 30.0            # seconds
[pipeline.limits]              # defaults for every component
[pipeline.grants."logs/parse"] # capabilities of components, all in one place; added to the component's own

[[source]]
name = "lines"
kind = "stdin"                 # "file" and "directory" need a path; a directory's files come in order of their names
framing = "line"               # or "block" with block_bytes; without it a whole file of a directory is one message

[[component]]
id = "logs/parse"              # instances get /0, /1, …
path = "parse.wasm"            # like every path: relative to this file
instances = 1
key = "json:user.id"           # or "bytes:0:8": equal keys meet the same instance; without it, in turn
restart = "transient"          # or "permanent", "temporary"
execution = "auto"             # or "loop", "thread"
shutdown = 5.0                 # seconds to stop; "brutal": none at all, "infinite": no bound of its own
parent = "stages"              # the supervisor that it is under; without one it has a supervisor of its own
passivate_after = 60.0         # seconds without a message, then it sleeps until there is one; default: never
mailbox = "wait"               # or "reject", "drop-oldest", "drop-newest": what a message does that finds no room; or
# mailbox = { rule = "latest-by-key", key = "json:user.id" }   a message replaces one that waits and has its key
[component.limits]             # the fields of Limits
[component.health]             # it is asked for its health, as HealthCheck says; without this table it is not
interval = 10.0                # seconds, as is timeout
timeout = 5.0
failures = 3                   # so many bad answers in a row and it is restarted
[component.config]             # a table (JSON for the guest) or, as `config = "text"`, a string
[component.env]                # strings
[component.capabilities]       # send, request, broadcast, receive_from, storage: arrays of patterns

[[route]]
from = "lines"
to = "logs/parse"              # or "topic:orders.new": all subscribers, each once

[[subscribe]]
topic = "orders.*"             # `*`: any one segment; `#` at the end: any rest
to = "logs/parse"              # a component or a sink

[[supervisor]]                 # restarts its children together, and gives up together
name = "stages"
strategy = "one_for_one"       # or "one_for_all", "rest_for_one"
children = ["logs/parse"]      # components, all instances, and supervisors, in start order; then those with this parent
parent = "app"                 # another supervisor
restart = "permanent"          # or "transient", "temporary": what "app" does when this one gives up
intensity = 3                  # restarts of its children within the window; one more and it gives up
window = 60.0                  # seconds; as are backoff_initial and backoff_max, beside backoff_factor and jitter
shutdown = "infinite"          # or "brutal", or seconds for all its children together

[[policy]]                     # rules that overrule grants; the first rule that matches decides for its policy
name = "archive is read-only"
rules = [{ component = "*", action = "send", resource = "logs/archive/*", effect = "deny" }]

[[sink]]
name = "report"
kind = "stdout"                # "file" needs a path
framing = "line"               # adds a newline to each message; "block" adds nothing
```
"""

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import attrs

from airssys_wasm.actor.child import DEFAULT_SHUTDOWN, Shutdown, check_shutdown
from airssys_wasm.core.config import ComponentConfig, Execution, Restart
from airssys_wasm.core.keys import Key
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.problems import Problem
from airssys_wasm.messaging.topics import check_subscription, check_topic
from airssys_wasm.system.pipeline_mailbox import read_mailbox
from airssys_wasm.system.pipeline_names import check_component_id, check_system_name, checked_as
from airssys_wasm.system.pipeline_permissions import read_capabilities, read_policies, together
from airssys_wasm.system.pipeline_spec import (
    DEFAULT_BLOCK_BYTES,
    DEFAULT_STOP_TIMEOUT,
    IN_MEMORY,
    ComponentSpec,
    Framing,
    OnError,
    PipelineSpec,
    RouteSpec,
    SinkKind,
    SinkSpec,
    SourceKind,
    SourceSpec,
    SubscribeSpec,
)
from airssys_wasm.system.pipeline_supervisors import read_supervisors
from airssys_wasm.system.pipeline_table import Table
from airssys_wasm.system.pipeline_upkeep import read_health, read_passivate_after

_LIMITS: Final = tuple(field.name for field in attrs.fields(Limits))
_PLACEHOLDER: Final = "?"
"""Stands for an id or name that cannot be read, so that the other keys of its table still can."""


@attrs.frozen
class Draft:
    """What could be read of a file, and what is wrong with it; the spec is to be run only when nothing is."""

    spec: PipelineSpec
    problems: tuple[Problem, ...]


def parse_pipeline(text: str, file: Path) -> Draft:
    """Read the text of a pipeline file; `file` names it in problems, and its paths are relative to the folder of it."""
    try:
        root = Table(file.name, "", tomllib.loads(text))
    except tomllib.TOMLDecodeError as exc:
        return Draft(PipelineSpec(file.name), (Problem(file.name, "", "", f"is not TOML: {exc}"),))
    return _Parser(root, file.parent, file.stem).draft()


@attrs.define(eq=False)
class _Parser:
    """One file being read: its root table, the folder its paths are relative to, its name without the ending."""

    root: Table
    folder: Path
    stem: str
    limits: dict[str, Any] = attrs.field(factory=dict, init=False)
    grants: dict[str, dict[str, Any]] = attrs.field(factory=dict, init=False)

    def draft(self) -> Draft:
        spec = self._pipeline(attrs.evolve(self.root.table("pipeline"), name="[pipeline]"))
        spec = attrs.evolve(
            spec,
            sources=tuple(map(self._source, self.root.tables("source", "name"))),
            components=tuple(map(self._component, self.root.tables("component", "id"))),
            supervisors=read_supervisors(self.root),
            routes=tuple(map(self._route, self.root.tables("route", "from"))),
            subscriptions=tuple(map(self._subscription, self.root.tables("subscribe", "topic"))),
            sinks=tuple(map(self._sink, self.root.tables("sink", "name"))),
            policies=read_policies(self.root),
        )
        self.root.finish()
        for component in self.grants.keys() - {component.id for component in spec.components}:
            self.root.problems.append(Problem(self.root.file, "[pipeline] [grants]", component, "is no component"))
        return Draft(spec, tuple(self.root.problems))

    def _pipeline(self, table: Table) -> PipelineSpec:
        self.limits = _limits(table.table("limits"))
        grants = table.table("grants")
        self.grants = {component: read_capabilities(grants.table(component)) for component in tuple(grants.values)}
        storage, audit = table.take("storage", IN_MEMORY), table.take("audit", "")
        if not storage or "\0" in storage:
            table.note("storage", f'is neither a path nor "{IN_MEMORY}": {storage!r}')
            storage = IN_MEMORY
        if table.values.get("audit") == "" or "\0" in audit:
            table.note("audit", f"is no path: {audit!r}")
            audit = ""
        name = table.take("name", "") or self.stem
        table.built(lambda: check_system_name(name), None)
        spec = PipelineSpec(
            file=table.file,
            name=name,
            on_error=table.choice("on_error", OnError.COUNT),
            storage=None if storage == IN_MEMORY else self.folder / storage,
            audit=self.folder / audit if audit else None,
            stop_timeout=table.seconds("stop_timeout", DEFAULT_STOP_TIMEOUT),
        )
        table.finish()
        return spec

    def _source(self, table: Table) -> SourceSpec:
        kind = table.choice("kind", SourceKind.STDIN, required=True)
        framing = table.choice("framing", Framing.LINE)
        block_bytes = table.count("block_bytes", DEFAULT_BLOCK_BYTES)
        if "block_bytes" in table.values and framing is Framing.LINE:
            table.note("block_bytes", 'belongs to framing = "block"')
        whole = kind is SourceKind.DIRECTORY and "block_bytes" not in table.values
        spec = SourceSpec(
            name=table.text("name") or _PLACEHOLDER,
            kind=kind,
            path=self._path(table, kind, SourceKind.STDIN),
            framing=framing,
            block_bytes=None if whole or framing is Framing.LINE else block_bytes,
        )
        table.finish()
        return spec

    def _sink(self, table: Table) -> SinkSpec:
        kind = table.choice("kind", SinkKind.STDOUT, required=True)
        spec = SinkSpec(
            name=table.text("name") or _PLACEHOLDER,
            kind=kind,
            path=self._path(table, kind, SinkKind.STDOUT),
            framing=table.choice("framing", Framing.LINE),
        )
        table.finish()
        return spec

    def _path(self, table: Table, kind: StrEnum | None = None, without: StrEnum | None = None) -> Path | None:
        """The path of a table, which is needed unless its kind is the one without."""
        if table.values.get("kind") != kind:  # the kind is the mistake, and says nothing about the path
            table.take("path", "")
            return None
        if kind is not None and kind is without:
            if table.take("path", ""):
                table.note("path", f'does not belong to kind = "{kind}"')
            return None
        path = table.text("path")
        if "\0" in path:
            table.note("path", "contains a NUL")
            return None
        return self.folder / path if path else None

    def _route(self, table: Table) -> RouteSpec:
        spec = RouteSpec(table.text("from"), table.text("to"))
        if (topic := spec.topic) is not None:
            table.built(lambda: checked_as("to", topic, check_topic), None)
        table.finish()
        return spec

    def _subscription(self, table: Table) -> SubscribeSpec:
        spec = SubscribeSpec(table.text("topic"), table.text("to"))
        if spec.topic:
            table.built(lambda: checked_as("topic", spec.topic, check_subscription), None)
        table.finish()
        return spec

    def _component(self, table: Table) -> ComponentSpec:
        name = table.text("id")
        if name:
            table.built(lambda: check_component_id(name), None)
        key = table.take("key", "")
        spec = ComponentSpec(
            id=name or _PLACEHOLDER,
            path=self._path(table) or Path(),
            instances=table.count("instances", 1),
            key=table.built(lambda: Key.parse(key), None) if "key" in table.values else None,
            restart=table.choice("restart", Restart.TRANSIENT),
            execution=table.choice("execution", Execution.AUTO),
            limits=Limits(**(self.limits | _limits(table.table("limits")))),
            config=_config(table),
            shutdown=_shutdown(table),
            health=read_health(table),
            passivate_after=read_passivate_after(table),
            mailbox=read_mailbox(table),
            parent=table.take("parent", ""),
            capabilities=together(read_capabilities(table.table("capabilities")), self.grants.get(name, {})),
        )
        table.finish()
        return spec


def _limits(table: Table) -> dict[str, Any]:
    good = table.checked(_LIMITS, lambda name, value: Limits(**{name: value}))
    table.finish()
    return good


def _shutdown(table: Table) -> Shutdown:
    good = table.checked(("shutdown",), lambda _, value: check_shutdown(None, None, value))
    shutdown: Shutdown = good.get("shutdown", DEFAULT_SHUTDOWN)
    return shutdown


def _config(table: Table) -> ComponentConfig:
    """`config` is a table or a string; `env` a table of strings."""
    if isinstance(table.values.get("config"), str):
        config: object = table.take("config", "")
    else:
        config = table.take("config", {}) if "config" in table.values else None
    env = table.table("env").values
    data = table.built(lambda: ComponentConfig.of(config), ComponentConfig()).data
    return ComponentConfig(table.built(lambda: ComponentConfig.of(None, env), ComponentConfig()).env, data)
