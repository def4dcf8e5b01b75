"""Learn mode: what was used, and the least grants that would have been enough (pure)."""

from collections.abc import Iterable, Mapping
from typing import Final, final

import attrs

from airssys_wasm.core.ids import ComponentId
from airssys_wasm.security.capabilities import Action, Capabilities
from airssys_wasm.security.wording import quoted

MOST_USES: Final = 65536
"""Uses kept: some 10 MB. A guest that addresses ever new ids while it is being learned from does not fill memory."""

_FIELDS: Final = ("send", "request", "broadcast", "storage")

Use = tuple[ComponentId, Action, str]
"""Who did what to which printed id."""


@final
@attrs.define(eq=False)
class Learner:
    """Makes a guard permit what no grant permits, and remembers what was used.

    What a policy or a `receive_from` forbids stays forbidden: no grant of the component's own would change it.
    `unrecorded` counts the uses that were beyond `MOST_USES`.
    """

    unrecorded: int = attrs.field(default=0, init=False)
    _uses: set[Use] = attrs.field(factory=set, init=False)

    def record(self, component: ComponentId, action: Action, resource: str) -> None:
        """Remember one use."""
        use = (component, action, resource)
        if len(self._uses) < MOST_USES:
            self._uses.add(use)
        elif use not in self._uses:
            self.unrecorded += 1

    def grants(self) -> dict[ComponentId, Capabilities]:
        """The least capabilities of each component that did something, components in order."""
        return least_grants(self._uses)

    def toml(self) -> str:
        """The same for a pipeline file; see `as_toml`."""
        note = f"# {self.unrecorded} more uses were too many to keep; they are missing here.\n"
        return as_toml(self.grants()) + (note if self.unrecorded else "")


def least_grants(uses: Iterable[Use]) -> dict[ComponentId, Capabilities]:
    """The least capabilities that permit all uses: exact ids, in the order of the alphabet.

    | used | granted |
    |---|---|
    | send to a target, whatever else | send |
    | request or broadcast to a target, never send | just that |
    | storage.read, storage.write | "read", "write" |
    """
    used: dict[ComponentId, dict[Action, set[str]]] = {}
    for component, action, resource in uses:
        used.setdefault(component, {}).setdefault(action, set()).add(resource)
    return {component: _least(used[component]) for component in sorted(used)}


def _least(used: Mapping[Action, set[str]]) -> Capabilities:
    send = used.get("send", set())
    return Capabilities(
        send=send,
        request=used.get("request", set()) - send,
        broadcast=used.get("broadcast", set()) - send,
        storage=[action for action in ("read", "write") if f"storage.{action}" in used],
    )


def as_toml(grants: Mapping[ComponentId, Capabilities]) -> str:
    """Write grants as a pipeline file takes them at any place between its tables: one `[pipeline.grants]` a component.

    A pipeline's component has two parts in its id and as many instances as it likes: what its instances were granted is
    put together. TOML 1.0, nothing where there is nothing to grant.
    """
    together: dict[str, dict[str, set[str]]] = {}
    for component, capabilities in grants.items():
        fields = together.setdefault(f"{component.namespace}/{component.name}", {name: set() for name in _FIELDS})
        for name in _FIELDS:
            fields[name].update(getattr(capabilities, name))
    return "\n".join(_table(name, together[name]) for name in sorted(together))


def _table(name: str, fields: Mapping[str, set[str]]) -> str:
    listed = dict(fields)
    for narrower in ("request", "broadcast"):
        listed[narrower] = listed[narrower] - listed["send"]
    lines = [f"{field} = [{', '.join(map(quoted, sorted(listed[field])))}]" for field in _FIELDS if listed[field]]
    return "\n".join([f"[pipeline.grants.{quoted(name)}]", *lines, ""])
