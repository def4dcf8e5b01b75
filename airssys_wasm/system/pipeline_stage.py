"""One component of a pipeline at work: its instances, each with a channel in front and a task that asks it."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, final

import attrs

from airssys_wasm.actor.handle import ActorHandle
from airssys_wasm.actor.tree_spec import SupervisorSpec as TreeSpec
from airssys_wasm.core.errors import ActorStopped, AirssysError, PayloadTooLarge, PipelineInvalid
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.messages import CONTENT_TYPE_FLUSH, FLUSH_OPERATION
from airssys_wasm.core.observations import ActorState, SystemStatistics
from airssys_wasm.core.problems import Problem
from airssys_wasm.runtime.compiled import CompiledComponent, require_contract
from airssys_wasm.security.learn import Learner
from airssys_wasm.security.sinks import JsonLinesSink
from airssys_wasm.system.pipeline_channel import Channel, Outlet, outlet_to
from airssys_wasm.system.pipeline_ledger import Ledger
from airssys_wasm.system.pipeline_plan import Plan
from airssys_wasm.system.pipeline_spec import IN_MEMORY, ComponentSpec
from airssys_wasm.system.pipeline_summary import StageSummary
from airssys_wasm.system.pipeline_supervisors import Supervised
from airssys_wasm.system.supervision import ComponentSpec as Member
from airssys_wasm.system.supervision import SupervisorHandle
from airssys_wasm.system.system import ActorSystem

_ENDED: Final = (ActorState.FAILED, ActorState.STOPPED)


@final
@attrs.define(eq=False)
class Stage:
    """The instances of one component.

    `inlet` is the way to them, `outlets` where their answers go, `ends` the channels that end when all of them have.
    """

    spec: ComponentSpec
    handles: Sequence[ActorHandle]
    inboxes: Sequence[Channel]
    outlets: Sequence[Outlet] = ()
    ends: Sequence[Channel] = ()
    messages: int = attrs.field(default=0, init=False)
    answers: int = attrs.field(default=0, init=False)
    errors: int = attrs.field(default=0, init=False)
    inlet: Outlet = attrs.field(init=False)
    _at_work: int = attrs.field(init=False)
    _under_way: list[bytes | None] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.inlet = outlet_to(self.inboxes, self.spec.key)
        self._at_work = len(self.handles)
        self._under_way = [None] * len(self.handles)

    async def serve(self, number: int, ledger: Ledger) -> None:
        """Ask one instance message by message until its inputs have ended, then flush it, then end its outputs.

        Cancellation: the message under way and those that wait are `left` over.
        """
        inbox, handle = self.inboxes[number], self.handles[number]
        while await inbox.wait():
            while (payload := inbox.take_nowait()) is not None:
                self._under_way[number] = payload
                self.messages += 1
                try:
                    self._check_size(handle.id, payload)
                    answer = await handle.ask(payload, timeout=None)
                except AirssysError as exc:
                    self._failed(number, payload, exc, ledger)
                else:
                    await self._pass_on(answer)
                self._under_way[number] = None
                if ledger.failure is not None:  # a refusal comes without a turn of the loop, so without a cancellation
                    return
        await self._flush(number, ledger)
        self._at_work -= 1
        if not self._at_work:
            for channel in self.ends:
                channel.close()

    def _check_size(self, instance: ComponentId, payload: bytes) -> None:
        """Refuse what has come here without its key having been looked for."""
        most = self.spec.most_payload_bytes
        if len(payload) > most:
            raise PayloadTooLarge(instance, len(payload), most)

    async def _pass_on(self, answer: bytes | None) -> None:
        if answer is None:
            return
        self.answers += 1
        for outlet in self.outlets:
            if not outlet.put_nowait(answer):
                await outlet.put(answer)

    async def _flush(self, number: int, ledger: Ledger) -> None:
        handle = self.handles[number]
        if FLUSH_OPERATION not in handle.metadata.supported_operations:
            return
        try:
            answer = await handle._ask_control(b"", CONTENT_TYPE_FLUSH)  # noqa: SLF001 - the reserved prefix is the system layer's
        except AirssysError as exc:
            self._failed(number, b"", exc, ledger)
        else:
            await self._pass_on(answer)

    def _failed(self, number: int, payload: bytes, error: AirssysError, ledger: Ledger) -> None:
        self.errors += 1
        ledger.error(self.handles[number].id, payload, error)

    def ended(self) -> Iterator[ActorHandle]:
        """The instances that have ended for good."""
        return (handle for handle in self.handles if handle.state in _ENDED)

    def left(self) -> Iterator[tuple[ComponentId, bytes]]:
        """What no instance has finished, once the run has been cut short."""
        for handle, payload, inbox in zip(self.handles, self._under_way, self.inboxes, strict=True):
            for message in ([] if payload is None else [payload]) + inbox.take_all():
                yield handle.id, message

    def summary(self, statistics: SystemStatistics) -> StageSummary:
        """What all instances did together."""
        actors = [statistics.components[handle.id] for handle in self.handles if handle.id in statistics.components]
        return StageSummary(
            id=self.spec.id,
            messages=self.messages,
            answers=self.answers,
            errors=self.errors,
            restarts=sum(actor.restarts for actor in actors),
            seconds=sum(actor.guest_time for actor in actors),
        )


def system_for(plan: Plan, learner: Learner | None = None) -> ActorSystem:
    """A system for the components of a plan; compiling goes by the largest binary that any of them may be."""
    spec = plan.spec
    largest = max([component.limits.max_component_bytes for component in plan.components], default=None)
    return ActorSystem(
        spec.name,
        storage=spec.storage or IN_MEMORY,
        limits=Limits() if largest is None else Limits(max_component_bytes=largest),
        policies=spec.policies,
        audit=[] if spec.audit is None else [JsonLinesSink(spec.audit)],
        learner=learner,
        stop_timeout=spec.stop_timeout,
    )


async def load_all(system: ActorSystem, plan: Plan) -> tuple[dict[str, list[ActorHandle]], list[SupervisorHandle]]:
    """Load all components: the trees of supervisors first, then what is in none, each after those that feed it.

    Raises:
        PipelineInvalid: One is stateful and has several instances and no key.
        AirssysError: One cannot be compiled or started.
    """
    handles: dict[str, list[ActorHandle]] = {}
    trees: list[SupervisorHandle] = []
    for tree in plan.supervisors:
        trees.append(await _load_tree(system, tree))
        for component in tree.components():
            handles[component.id] = [_found(system, component.instance_id(n)) for n in range(component.instances)]
            _check_splitting(component, handles[component.id][0], plan.spec.file)
    for component in plan.components:
        if component.id not in handles:
            handles[component.id] = await load_stage(system, component, plan.spec.file)
    return handles, trees


async def load_stage(system: ActorSystem, spec: ComponentSpec, file: str) -> list[ActorHandle]:
    """Load all instances of a component, compiled once.

    Raises:
        PipelineInvalid: It is stateful and has several instances and no key, so that its state would be torn apart.
        AirssysError: It cannot be compiled or started; nothing is left behind.
    """
    compiled = await _compiled(system, spec)
    handles: list[ActorHandle] = []
    for number in range(spec.instances):
        handles.append(await system.load(spec.instance_id(number), compiled, **_settings(spec)))
        _check_splitting(spec, handles[0], file)
    return handles


async def _compiled(system: ActorSystem, spec: ComponentSpec) -> CompiledComponent:
    compiled = await system.compile(spec.path)
    require_contract(compiled)
    return compiled


async def _load_tree(system: ActorSystem, tree: Supervised) -> SupervisorHandle:
    """Start a tree of supervisors, all instances of a component one after the other in its place."""
    compiled = {component.id: await _compiled(system, component) for component in tree.components()}

    def members(tree: Supervised) -> Iterator[Member | TreeSpec[Member]]:
        for child in tree.children:
            if isinstance(child, Supervised):
                yield grown(child)
                continue
            for number in range(child.instances):
                yield Member(child.instance_id(number), compiled[child.id], **_settings(child))

    def grown(tree: Supervised) -> TreeSpec[Member]:
        return TreeSpec(name=tree.spec.name, children=tuple(members(tree)), **tree.spec.settings)  # type: ignore[arg-type]

    return await system.supervise(grown(tree))


def _settings(spec: ComponentSpec) -> dict[str, Any]:
    """What holds for each instance, in the words of `ActorSystem.load`."""
    return {
        "capabilities": spec.capabilities,
        "limits": spec.limits,
        "restart": spec.restart,
        "config": spec.config,
        "execution": spec.execution,
        "shutdown": spec.shutdown,
        "health": spec.health,
        "passivate_after": spec.passivate_after,
        "mailbox": spec.mailbox,
    }


def _found(system: ActorSystem, id: ComponentId) -> ActorHandle:  # noqa: A002 - the stable name
    handle = system.get(id)
    if handle is None:
        raise ActorStopped(id)
    return handle


def _check_splitting(spec: ComponentSpec, first: ActorHandle, file: str) -> None:
    """Refuse to tear the state of a component apart."""
    if spec.instances > 1 and spec.key is None and first.metadata.stateful:
        text = f"is stateful; {spec.instances} instances need a key that says which message meets which"
        raise PipelineInvalid(file, [Problem(file, spec.table, "instances", text)])
