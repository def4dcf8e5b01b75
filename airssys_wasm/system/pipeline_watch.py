"""Upgrades of the components of a running pipeline when their files change.

| a file | what follows |
|---|---|
| has changed since the last look | nothing yet: it may be half-written |
| has changed, and is as it was at the last look | its digest is compared with what serves; if it differs, an upgrade |
| is broken, or its component does not start | that is told, the old version serves on; the next change is tried again |
| is gone | nothing until it is there again |
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, final

import anyio
import anyio.to_thread
import attrs

from airssys_wasm.actor.handle import ActorHandle
from airssys_wasm.core.errors import AirssysError
from airssys_wasm.core.observations import EventKind
from airssys_wasm.core.upgrades import UpgradeFailed
from airssys_wasm.runtime.compiled import require_contract
from airssys_wasm.system.pipeline import Pipeline
from airssys_wasm.system.pipeline_spec import ComponentSpec
from airssys_wasm.system.system import ActorSystem

LOOK_SECONDS: Final = 0.25
"""Between two looks at the files: what a person hardly waits for, and a thousandth of a core for a dozen files."""

Shape = tuple[int, int, int]
"""What tells a file from a changed one without reading it: when it was changed, its size, its inode."""


@final
@attrs.define(eq=False)
class Watched:
    """One file, as it was when it was looked at last."""

    seen: Shape | None = None
    settled: Shape | None = None

    def is_new(self, shape: Shape | None) -> bool:
        """Whether it has another content, probably, and has come to rest; once for each content."""
        rests, self.seen = shape == self.seen, shape
        if shape is None or not rests or shape == self.settled:
            return False
        self.settled = shape
        return True


@final
@attrs.define(eq=False)
class Watch:
    """The files of one pipeline; `say` is told what was upgraded, and what was not."""

    pipeline: Pipeline
    say: Callable[[str], object]
    look_seconds: float = LOOK_SECONDS
    _files: Mapping[Path, Watched] = attrs.field(init=False)
    _components: Mapping[Path, list[ComponentSpec]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._components = components = defaultdict(list)
        for component in self.pipeline.plan.components:
            components[component.path].append(component)
        self._files = {path: Watched() for path in components}

    async def run(self) -> None:
        """Look at the files until cancelled. Cancellation: an upgrade under way has happened, or changed nothing."""
        system = await self._loaded()
        async with anyio.create_task_group() as beside:
            beside.start_soon(self._tell_rollbacks, system)
            while True:
                shapes = await anyio.to_thread.run_sync(_shapes, tuple(self._files))
                for (path, watched), shape in zip(self._files.items(), shapes, strict=True):
                    if watched.is_new(shape):
                        await self._upgrade(system, path)
                await anyio.sleep(self.look_seconds)

    async def _loaded(self) -> ActorSystem:
        """The system of the run, once all components are there."""
        while True:
            system = self.pipeline.system
            if system is not None and all(_handles(system, each) for each in self.pipeline.plan.components):
                return system
            await anyio.sleep(self.look_seconds)

    async def _upgrade(self, system: ActorSystem, path: Path) -> None:
        """Have the components of a file be what is in it."""
        try:
            digest = await anyio.to_thread.run_sync(_digest, path)
            for component in self._components[path]:
                await self._upgrade_component(system, component, digest)
        except (AirssysError, OSError) as exc:
            self.say(f"{path}: {exc}; the version before serves on")

    async def _upgrade_component(self, system: ActorSystem, component: ComponentSpec, digest: str) -> None:
        """All instances, compiled once; one that has the content already is left alone."""
        old = [handle for handle in _handles(system, component) if handle.statistics().digest != digest]
        if not old:
            return
        compiled = await system.compile(component.path, digest)
        require_contract(compiled)
        if component.instances > 1 and component.key is None:
            report = await system.inspect(component.path)
            if report.metadata is not None and report.metadata.stateful:
                raise UpgradeFailed(old[0].id, f"it is stateful now; {component.instances} instances need a key")
        for handle in old:
            await system.upgrade(handle, compiled)
        self.say(f"{component.id}: upgraded to version {old[0].metadata.version} of {component.path}")

    async def _tell_rollbacks(self, system: ActorSystem) -> None:
        async for event in system.events():
            if event.kind is EventKind.ROLLED_BACK:
                self.say(f"{event.component}: the new version crashed too often ({event.reason}); the old one is back")


def _handles(system: ActorSystem, component: ComponentSpec) -> list[ActorHandle]:
    """Of the instances that are there."""
    found = (system.get(component.instance_id(number)) for number in range(component.instances))
    return [handle for handle in found if handle is not None]


def _shapes(paths: Sequence[Path]) -> list[Shape | None]:
    return [_shape(path) for path in paths]


def _shape(path: Path) -> Shape | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
