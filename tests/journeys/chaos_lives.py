"""What host code does in a chaos with components as such: loads, upgrades, restarts, links, unloads them."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, final

import attrs

from airssys_wasm import (
    ActorHandle,
    Capabilities,
    ComponentId,
    ComponentSpec,
    HealthCheck,
    Limits,
    MailboxPolicy,
    MailboxRule,
    RestartPolicy,
    SupervisorSpec,
)
from airssys_wasm.core.limits import MIB
from tests.journeys.chaos import Chaos

POLICIES: Final = [MailboxPolicy(rule, "bytes:0:2" if rule == "latest-by-key" else None) for rule in MailboxRule]
GRANTS: Final = Capabilities(send=("demo/*", "host/*"))
STRATEGIES: Final = ("one_for_one", "one_for_all", "rest_for_one")
SHUTDOWNS: Final = ("brutal", 0.5, 3.0, "infinite")


@final
@attrs.frozen(eq=False, repr=False)
class Lives:
    """The steps that begin, change or end a component's life; each begins its operation and waits for none."""

    chaos: Chaos

    def upgrade(self, dice: random.Random) -> None:
        """Replace the binary of a component."""
        handle = self.chaos.component(dice)
        self.chaos.begin(f"upgrade {handle.id}", self._upgrade_of(dice, handle))

    def upgrade_again(self, dice: random.Random) -> None:
        """Give an upgrade up, and begin another one as soon as it has ended."""
        chaos = self.chaos
        under_way = [(task, what) for task, what in chaos.tasks.items() if what[:8] == "upgrade " and not task.done()]
        if not under_way:
            return
        task, what = dice.choice(under_way)
        upgrade = self._upgrade_of(dice, chaos.handles[ComponentId.parse(what.removeprefix("upgrade "))])

        async def again() -> None:
            await asyncio.wait([task])
            await upgrade()

        chaos.cancel(task)
        chaos.begin(what, again)

    def _upgrade_of(self, dice: random.Random, handle: ActorHandle) -> Callable[[], Awaitable[None]]:
        chaos = self.chaos
        source = chaos.version(dice, 2 * chaos.trouble)
        probation, max_crashes = dice.choice([0.0, 0.5, 2.0, 10.0]), dice.choice([0, 0, 1])
        return partial(chaos.system.upgrade, handle, source, probation=probation, max_crashes=max_crashes)

    def restart(self, dice: random.Random) -> None:
        """Have a new instance of one."""
        handle = self.chaos.component(dice)
        self.chaos.begin(f"restart {handle.id}", handle.restart)

    def load(self, dice: random.Random) -> None:
        """Load one that stands alone."""
        component = dice.choice(self.chaos.loners)
        self.chaos.begin(f"load {component}", partial(self.loaded, dice, component))

    async def loaded(self, dice: random.Random, component: ComponentId) -> None:
        """Load one, and have it get the news."""
        chaos = self.chaos
        spec = self._spec(dice)
        source, restart = spec.pop("source"), spec.pop("restart")
        policy = RestartPolicy(restart=restart, intensity=dice.choice([0, 2, 3]), backoff_initial=dice.choice([0, 0.4]))
        chaos.handles[component] = await chaos.system.load(component, source, restart=policy, **spec)
        await chaos.system.subscribe("news", component)

    def unload(self, dice: random.Random) -> None:
        """Unload one."""
        handle, drain = self.chaos.component(dice), dice.random() < 0.5
        self.chaos.begin(f"unload {handle.id}", partial(self.chaos.system.unload, handle, drain=drain))

    def supervise(self, dice: random.Random) -> None:
        """Start a tree."""
        name = dice.choice(["one", "two"])
        self.chaos.begin(f"supervise {name}", partial(self.supervised, dice, name))

    async def supervised(self, dice: random.Random, name: str) -> None:
        """Start a tree, sometimes with one tree in another."""
        chaos = self.chaos
        leaves = [ComponentId("demo", f"{name}{number}", "0") for number in range(4)]
        specs = [ComponentSpec(leaf, **self._spec(dice)) for leaf in leaves]
        below = self._group(dice, "below", *specs[2:])
        top = self._group(dice, name, *specs[:2], *([below] if dice.random() < 0.5 else specs[2:]))
        chaos.trees[name] = await chaos.system.supervise(top)
        chaos.handles.update({leaf: there(chaos, leaf) for leaf in leaves if chaos.system.get(leaf)})

    def _group(self, dice: random.Random, name: str, *children: Any) -> SupervisorSpec[ComponentSpec]:
        return SupervisorSpec(
            name=name,
            strategy=dice.choice(STRATEGIES),
            children=children,
            restart=dice.choice(["permanent", "transient", "temporary"]),
            intensity=dice.choice([0, 1, 3]),
            window=dice.choice([20.0, 60.0]),
            backoff_initial=dice.choice([0.0, 0.3, 1.0]),
            shutdown=dice.choice(["infinite", "brutal", 2.0]),
        )

    def stop_tree(self, dice: random.Random) -> None:
        """Stop the trees."""
        for tree in self.chaos.trees.values():
            self.chaos.begin(f"stop {tree.name}", partial(tree.stop, drain=dice.random() < 0.5))

    def restart_tree(self, _dice: random.Random) -> None:
        """Start the trees anew that have failed."""
        for tree in self.chaos.trees.values():
            self.chaos.begin(f"restart {tree.name}", tree.restart)

    def revoke(self, dice: random.Random) -> None:
        """Take a component's grants back, or give it some."""
        component = self.chaos.component(dice).id
        if dice.random() < 0.5:
            self.chaos.system.revoke(component)
        elif self.chaos.system.get(component) is not None:
            self.chaos.system.grant(component, GRANTS)

    def link(self, dice: random.Random) -> None:
        """Link two components."""

        async def linked(one: ComponentId, other: ComponentId) -> None:
            """Have a block of host code stand on a component."""
            self.chaos.system.link(one, other)

        self.chaos.begin("link", partial(linked, self.chaos.component(dice).id, self.chaos.component(dice).id))

    def unlink(self, dice: random.Random) -> None:
        """Take a link back."""
        self.chaos.system.unlink(self.chaos.component(dice).id, self.chaos.component(dice).id)

    def linked(self, dice: random.Random) -> None:
        """Have a block of host code stand on a component."""

        async def stand(component: ComponentId) -> None:
            async with self.chaos.system.linked(component):
                await asyncio.get_running_loop().create_future()

        self.chaos.begin("linked", partial(stand, self.chaos.component(dice).id), lasts=True)

    def wait_stopped(self, dice: random.Random) -> None:
        """Wait for the end of something."""
        doings = [handle.wait_stopped for handle in self.chaos.handles.values()]
        doings += [tree.wait_stopped for tree in self.chaos.trees.values()]
        self.chaos.begin("wait", dice.choice(doings), lasts=True)

    def _spec(self, dice: random.Random) -> dict[str, Any]:
        """What `load` and `ComponentSpec` have in common."""
        return {
            "source": self.chaos.version(dice, self.chaos.trouble),
            "capabilities": GRANTS,
            "limits": limits(dice),
            "restart": dice.choice(["permanent", "transient", "transient", "temporary"]),
            "shutdown": dice.choice(SHUTDOWNS),
            "health": dice.choice([None, HealthCheck(interval=1.0, timeout=0.5, failures=2)]),
            "passivate_after": dice.choice([None, 0.5, 2.0]),
            "mailbox": dice.choice(POLICIES),
        }


def there(chaos: Chaos, component: ComponentId) -> ActorHandle:
    """The handle of what is loaded."""
    handle = chaos.system.get(component)
    assert handle is not None
    return handle


def limits(dice: random.Random) -> Limits:
    """Tight ones, so that they are met."""
    return Limits(
        max_memory_bytes=MIB,
        mailbox_capacity=dice.choice([1, 3, 50]),
        mailbox_bytes=dice.choice([100, 10_000]),
        max_payload_bytes=70,
        max_execution_time=10.0,
        send_wait=dice.choice([0.05, 1.0]),
        max_pending_requests=dice.choice([1, 2]),
    )
