"""Trees on the bench: written in one line, watched by what their guests did."""

from typing import Any

import attrs

from airssys_wasm.actor.child import Child, ChildSpec
from airssys_wasm.actor.restarts import RestartPolicy
from airssys_wasm.actor.tree_root import Tree
from airssys_wasm.actor.tree_spec import SupervisorSpec
from airssys_wasm.core.config import ComponentConfig, Restart
from airssys_wasm.core.errors import Trap
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import Script, ScriptedGuest
from tests.actor.bench import Bench, component

Spec = SupervisorSpec[ChildSpec]


@attrs.define
class Broken:
    """The components whose `initialize` traps at present."""

    names: set[str] = attrs.field(factory=set)

    async def initialize(self, guest: ScriptedGuest, _config: ComponentConfig) -> None:
        """As a guest does."""
        if guest.state.component_id.name in self.names:
            raise Trap("no database", "unreachable")


def leaf(name: str, restart: str = "permanent", broken: Broken | None = None, **spec: Any) -> ChildSpec:
    """A component of a tree."""
    script = spec.pop("script", None) or Script(on_initialize=(broken or Broken()).initialize)
    return ChildSpec(id=component(name), compiled=script, policy=RestartPolicy(restart=Restart(restart)), **spec)


def group(name: str, strategy: str, *children: ChildSpec | Spec | str, **spec: Any) -> Spec:
    """A supervisor; a str is a permanent component."""
    made = [leaf(child) if isinstance(child, str) else child for child in children]
    return SupervisorSpec(name=name, strategy=strategy, children=made, **spec)  # type: ignore[arg-type]


@attrs.define(eq=False)
class Grown:
    """A running tree and its bench."""

    bench: Bench
    tree: Tree

    def child(self, name: str) -> Child:
        """One of its components."""
        child = self.bench.supervisor.registry.get(component(name))
        assert child is not None
        return child

    def log(self) -> str:
        """What its guests did since the last look: +a for a started one, -a for a closed one."""
        signs = {"initialize": "+", "close": "-"}
        done = [f"{signs[what]}{who.name}" for what, who in self.bench.host.log if what in signs]
        self.bench.host.log.clear()
        return " ".join(done)

    def up(self) -> str:
        """Which components have a live guest, in the order of their starts."""
        return " ".join(guest.state.component_id.name for guest in self.bench.host.live)

    async def crash(self, name: str, *, wait: float = 10.0) -> str:
        """Have one crash; what happened until that many seconds later."""
        await self.bench.crash(self.child(name))
        return await self.later(wait)

    async def later(self, seconds: float) -> str:
        """What happens within that many seconds."""
        await self.bench.clock.advance(seconds)
        return self.log()


async def grown(bench: Bench, spec: Spec) -> Grown:
    """Start a tree."""
    tree = await bench.supervisor.trees.start(spec)
    await settle()
    return Grown(bench, tree)
