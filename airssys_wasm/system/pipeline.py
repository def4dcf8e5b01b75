"""A pipeline at work: sources are read, components asked, sinks written, until the input ends or something fails.

```
   source ─thread─► batch ─► channel ─► stage (one task an instance) ─► channel ─► sink ─thread─► file, stdout
```

Everything between is bounded, so a slow part holds up what is before it, back to the source.

| what happens | what follows |
|---|---|
| the input ends | each component, after all that feed it, handles what waits, is flushed, and ends its targets |
| `drain()` | nothing more is read (a line that is not yet whole is left); then as if the input had ended |
| `drain()` while components are loaded | no more are loaded, nothing is read; those that have started shut down |
| an err, a crash, a message over a limit | counted, a dead letter; with `on_error = "stop"` the run ends |
| a component ends for good, a source or sink fails | the run ends: what is under way goes to dead letters |
| all has ended well | what components have sent each other is handled too, within `stop_timeout`; then they shut down |
"""

import contextlib
import functools
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, final

import anyio
import attrs

from airssys_wasm.core.ids import HOST_NAMESPACE, ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.observations import DeadLetterReason
from airssys_wasm.security.learn import Learner
from airssys_wasm.system.pipeline_channel import CAPACITY, Channel, Outlet
from airssys_wasm.system.pipeline_io import Batch, Reader, StopPipe, Writer, framer_for, too_large, total_bytes
from airssys_wasm.system.pipeline_ledger import Ledger
from airssys_wasm.system.pipeline_overflow import channel_to
from airssys_wasm.system.pipeline_plan import Plan
from airssys_wasm.system.pipeline_spec import SourceSpec
from airssys_wasm.system.pipeline_stage import Stage, load_all, system_for
from airssys_wasm.system.pipeline_summary import PipelineSummary, Progress, StageSummary
from airssys_wasm.system.pipeline_tasks import ending_with, in_thread, requested_when_cancelled
from airssys_wasm.system.supervision import SupervisorHandle
from airssys_wasm.system.system import ActorSystem

_SINK_CAPACITY: Final = 32 * CAPACITY
"""Answers wait here while a thread writes those before them; a visit to a thread costs as much as some ten of them."""

_LINGER: Final = 0.02
"""Seconds that an answer may wait for others to be written with it: less than a person at a terminal notices."""

_SETTLE_SECONDS: Final = 0.005
"""How often it is looked whether components still have messages of each other: a hundredth of a start of Python."""


@final
@attrs.define(eq=False)
class Pipeline:
    """One run of one plan; made for one `run`, during which `system` is there to be looked at.

    With `learn`, everything between components and storage is allowed, and the summary has the least grants that would
    have been enough.
    """

    plan: Plan
    learn: bool = False
    system: ActorSystem | None = attrs.field(default=None, init=False)
    _loading: anyio.CancelScope = attrs.field(factory=anyio.CancelScope, init=False)
    _stop: StopPipe | None = attrs.field(default=None, init=False)
    _ledger: Ledger | None = attrs.field(default=None, init=False)
    _stages: dict[str, Stage] = attrs.field(factory=dict, init=False)
    _trees: Sequence[SupervisorHandle] = attrs.field(default=(), init=False)
    _sinks: dict[str, Channel] = attrs.field(factory=dict, init=False)
    _messages: int = attrs.field(default=0, init=False)
    _bytes_read: int = attrs.field(default=0, init=False)
    _total_bytes: int | None = attrs.field(default=None, init=False)
    _results: int = attrs.field(default=0, init=False)
    _cut_short: bool = attrs.field(default=False, init=False)

    async def run(self) -> PipelineSummary:
        """Load the components, run until the end of the input, shut the components down.

        Returns:
            What happened, errors and the failure that ended the run included.

        Raises:
            PipelineInvalid: A stateful component has several instances and no key; nothing was read.
            AirssysError: A component cannot be loaded; nothing was read.

        Cancellation: reading, asking and writing stop at once and the components are killed.
        """
        spec, started = self.plan.spec, time.perf_counter()
        with contextlib.closing(StopPipe()) as stop, contextlib.closing(StopPipe()) as abort:
            learner = Learner() if self.learn else None
            async with system_for(self.plan, learner) as system:
                self.system = system
                sender = ComponentId(HOST_NAMESPACE, spec.name, "0")
                self._ledger = ledger = Ledger(sender, spec.on_error, system.record_dead_letter)
                with self._loading:
                    await self._build(system, ledger)
                    self._stop = stop
                if self._stop is None:
                    self._cut_short = True
                else:
                    await self._flow(ledger, stop, abort)
                stages = await self._settle(system, ledger)
                letters = system.statistics().dead_letters
        summary = self._summary(stages, letters, ledger, time.perf_counter() - started)
        return summary if learner is None else attrs.evolve(summary, learned=learner.toml())

    def drain(self) -> None:
        """Stop reading and let the run come to its end as if the input had ended; may be called at any time.

        While components are still loaded that is given up, and what has started shuts down.
        """
        if self._stop is None:
            self._loading.cancel()
        else:
            self._stop.request()

    def progress(self) -> Progress:
        """Where the run is now."""
        errors = self._ledger.errors if self._ledger else 0
        compiling = self.system.compiling() if self.system else ()
        return Progress(self._messages, self._bytes_read, self._total_bytes, errors, compiling)

    async def _build(self, system: ActorSystem, ledger: Ledger) -> None:
        """Load the components and lay the channels between them."""
        targets, spec = self.plan.targets, self.plan.spec
        producers = Counter(name for names in targets.values() for name in names)
        self._sinks = {sink.name: Channel(producers[sink.name], _SINK_CAPACITY) for sink in spec.sinks}
        handles, self._trees = await load_all(system, self.plan)
        for component in self.plan.components:
            mine = handles[component.id]
            losing = [functools.partial(ledger.overflow, handle.id, component.mailbox.rule) for handle in mine]
            inboxes = [channel_to(component, producers[component.id], lose) for lose in losing]
            self._stages[component.id] = Stage(component, mine, inboxes)
        for name, stage in self._stages.items():
            stage.outlets, stage.ends = self._outlets(name), self._ends(name)

    def _outlets(self, name: str) -> list[Outlet]:
        """The ways from a source or component to all that its routes lead to."""
        targets = self.plan.targets[name]
        return [self._stages[target].inlet if target in self._stages else self._sinks[target] for target in targets]

    def _ends(self, name: str) -> list[Channel]:
        """The channels that a source or component is one producer of."""
        targets = self.plan.targets[name]
        groups = [
            self._stages[target].inboxes if target in self._stages else [self._sinks[target]] for target in targets
        ]
        return [channel for group in groups for channel in group]

    async def _flow(self, ledger: Ledger, stop: StopPipe, abort: StopPipe) -> None:
        """Read, ask and write until all is done; after a failure, what was answered is still written."""
        spec = self.plan.spec
        threads = anyio.CapacityLimiter(len(spec.sources) + len(spec.sinks))
        self._total_bytes = await in_thread(threads, lambda: total_bytes(spec.sources))
        writers = await self._open_sinks(ledger, abort, threads)
        async with requested_when_cancelled(abort), anyio.create_task_group() as writing:
            for writer in writers:
                writing.start_soon(self._write, writer, ledger, threads)
            with ledger.scope:
                await self._work(ledger, stop, threads)
            for stage in self._stages.values():
                for target, payload in stage.left():
                    ledger.lose(target, payload)
            for channel in self._sinks.values():
                channel.end()

    async def _work(self, ledger: Ledger, stop: StopPipe, threads: anyio.CapacityLimiter) -> None:
        """Read and ask, until all is done or a component has ended for good."""
        handles = [handle for stage in self._stages.values() for handle in stage.handles]
        async with (
            requested_when_cancelled(stop),
            ending_with(handles, ledger),
            anyio.create_task_group() as working,
        ):
            for source in self.plan.spec.sources:
                working.start_soon(self._pump, source, ledger, stop, threads)
            for stage in self._stages.values():
                for number in range(len(stage.handles)):
                    working.start_soon(stage.serve, number, ledger)

    async def _pump(self, source: SourceSpec, ledger: Ledger, stop: StopPipe, threads: anyio.CapacityLimiter) -> None:
        """Read one source to its end, or until reading is to stop."""
        takers = [self._stages[name] for name in self.plan.targets[source.name] if name in self._stages]
        limit = max([taker.spec.most_payload_bytes for taker in takers] or [Limits().max_payload_bytes])
        blamed = takers[0].handles[0].id if takers else ledger.sender
        reader = Reader(source, stop, framer_for(source, limit))
        outlets = self._outlets(source.name)
        try:
            while (batch := await in_thread(threads, reader.read)) is not None:
                self._bytes_read += batch.size
                self._messages += len(batch.oversized)
                for refused in batch.oversized:
                    ledger.error(blamed, refused.sample, too_large(refused, blamed, limit, source))
                await self._put(batch, outlets, stop)
        except OSError as exc:
            ledger.fail(f"cannot read {reader.place}: {exc.strerror}")
        finally:
            reader.close()
        self._cut_short |= stop.requested
        for channel in self._ends(source.name):
            channel.close()

    async def _put(self, batch: Batch, outlets: Sequence[Outlet], stop: StopPipe) -> None:
        for message in batch.messages:
            if stop.requested:
                return
            self._messages += 1
            for outlet in outlets:
                if not outlet.put_nowait(message):
                    await outlet.put(message)

    async def _open_sinks(self, ledger: Ledger, abort: StopPipe, threads: anyio.CapacityLimiter) -> list[Writer]:
        writers: list[Writer] = []
        for sink in self.plan.spec.sinks:
            writers.append(Writer(sink, abort))
            try:
                await in_thread(threads, writers[-1].open)
            except OSError as exc:
                ledger.fail(f"cannot write {writers[-1].place}: {exc.strerror}")
        return writers

    async def _write(self, writer: Writer, ledger: Ledger, threads: anyio.CapacityLimiter) -> None:
        """Write one sink until its inputs have ended; a failure of it ends the run."""
        channel = self._sinks[writer.spec.name]
        try:
            while await channel.wait():
                with anyio.move_on_after(_LINGER):
                    await channel.wait(enough=_SINK_CAPACITY)
                answers = channel.take_all()
                await in_thread(threads, functools.partial(writer.write, answers))
                self._results += len(answers)
            await in_thread(threads, writer.close)
        except OSError as exc:
            ledger.fail(f"cannot write {writer.place}: {exc.strerror}")
        finally:
            with contextlib.suppress(OSError):
                writer.close()

    async def _settle(self, system: ActorSystem, ledger: Ledger) -> Sequence[StageSummary]:
        """Have messages between components handled that are no part of a route, and shut the components down.

        What is under no supervisor of the file goes first, those that feed others before those, so that what they still
        send arrives; then the trees, in reverse. After a failure nothing is waited for.
        """
        statistics = system.statistics()
        with anyio.move_on_after(self.plan.spec.stop_timeout):
            while not await self._failed(ledger) and any(one.mailbox.waiting for one in statistics.components.values()):
                await anyio.sleep(_SETTLE_SECONDS)
                statistics = system.statistics()
        stages = [stage.summary(statistics) for stage in self._stages.values()]
        if not await self._failed(ledger):
            with anyio.move_on_after(self.plan.spec.stop_timeout):
                await self._shut_down(system)
        return stages

    async def _shut_down(self, system: ActorSystem) -> None:
        under = {component.id for tree in self.plan.supervisors for component in tree.components()}
        for stage in self._stages.values():
            for handle in [] if stage.spec.id in under else stage.handles:
                await system.unload(handle, drain=True)
        for tree in reversed(self._trees):
            await tree.stop(drain=True)

    async def _failed(self, ledger: Ledger) -> bool:
        """Whether the run has failed, be it that a component did so after its last answer."""
        for handle in (ended for stage in self._stages.values() for ended in stage.ended()):
            ledger.end(handle.id, await handle.wait_stopped())
        return ledger.failure is not None

    def _summary(
        self,
        stages: Sequence[StageSummary],
        letters: Mapping[DeadLetterReason, int],
        ledger: Ledger,
        seconds: float,
    ) -> PipelineSummary:
        return PipelineSummary(
            messages=self._messages,
            bytes_read=self._bytes_read,
            results=self._results,
            errors=ledger.errors,
            lost=ledger.lost,
            dropped=ledger.dropped,
            dead_letters={reason: count for reason, count in letters.items() if count},
            seconds=seconds,
            stages=tuple(stages),
            samples=tuple(ledger.samples),
            failure=ledger.failure,
            drained=self._cut_short and ledger.failure is None,
        )
