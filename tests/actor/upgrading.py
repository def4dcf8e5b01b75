"""Upgrades on the bench."""

import asyncio
from typing import Any, Final

from airssys_wasm.actor.child import Child
from airssys_wasm.actor.upgrade import Upgrade
from airssys_wasm.actor.upgrades import under_way
from airssys_wasm.core.ports import ComponentMetadata
from airssys_wasm.core.upgrades import Probation
from airssys_wasm.testing.guests import Script
from tests.actor.bench import HOST, Bench

HANDS_OVER: Final = ("save-state", "load-state")


def version(number: str, *operations: str, **behaviour: Any) -> Script:
    """A script that says of itself which one it is."""
    metadata = ComponentMetadata("scripted", number, supported_operations=operations)
    return Script(metadata=metadata, digest=f"digest {number}", **behaviour)


async def upgrade(bench: Bench, child: Child, script: Script, **terms: Any) -> None:
    """Upgrade a child."""
    wanted = Upgrade(Probation(**terms), HOST)
    with under_way(child, wanted):
        await bench.supervisor.upgrades.run(child, wanted, script)


def upgrading(bench: Bench, child: Child, script: Script, **terms: Any) -> "asyncio.Task[None]":
    """Upgrade a child in a task."""
    return asyncio.create_task(upgrade(bench, child, script, **terms))
