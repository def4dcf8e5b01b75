"""What does a message cost? `ask` of the echo guest beside two peers in the same run.

Peers: wasmtime-py's own call of the same guest, without an actor; and an actor of a bare asyncio queue that echoes in
Python, without WebAssembly. Payloads are random bytes.
"""

import asyncio
import os
from typing import Any

from wasmtime import Config, Engine, Store
from wasmtime.component import Component, Linker, Record

from airssys_wasm import ActorHandle, ActorSystem, ComponentId
from benchmarks.harness import GUESTS, Contestant, race, show, table, write

SIZES = (0, 64, 1024, 4096, 65_536)
LIFECYCLE = "airssys:core/component-lifecycle@1.0.0"


def _record(**fields: Any) -> Record:
    made = Record()
    for name, value in fields.items():
        setattr(made, name.replace("_", "-"), value)
    return made


class Direct:
    """The echo guest as wasmtime-py calls it."""

    def __init__(self, binary: bytes) -> None:
        config = Config()
        config.wasm_component_model = True
        engine = Engine(config)
        component = Component(engine, binary)
        self._store = Store(engine)
        self._instance = Linker(engine).instantiate(self._store, component)
        self._handle = self._function("handle-message")
        environment = _record(
            env_vars=[],
            config_data=None,
            resource_limits=_record(max_memory_bytes=1 << 26, max_execution_time_ms=30_000, max_fuel=None),
        )
        self._function("initialize")(self._store, environment)

    def _function(self, name: str) -> Any:
        interface = self._instance.get_export_index(self._store, LIFECYCLE)
        index = self._instance.get_export_index(self._store, name, interface)
        assert index is not None
        return self._instance.get_func(self._store, index)

    def echo(self, payload: bytes) -> Any:
        """One call of handle-message."""
        sender = _record(namespace="host", name="bench", instance="0")
        metadata = _record(
            correlation_id=None,
            reply_to=sender,
            timestamp=_record(seconds=1_700_000_000, nanoseconds=0),
            content_type=None,
        )
        return self._handle(self._store, _record(sender=sender, payload=payload, metadata=metadata))


class QueueActor:
    """The least that can be called an actor: a task, a queue, a future for each answer."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[tuple[bytes, asyncio.Future[bytes]]] = asyncio.Queue(1024)
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def ask(self, payload: bytes) -> bytes:
        """Send and wait for the answer."""
        answer = asyncio.get_running_loop().create_future()
        await self._queue.put((payload, answer))
        return await answer

    async def _run(self) -> None:
        while True:
            payload, answer = await self._queue.get()
            answer.set_result(payload)

    def stop(self) -> None:
        """End the task."""
        self._task.cancel()


def _contestants(echo: ActorHandle, direct: Direct, queue_actor: QueueActor, payload: bytes) -> dict[str, Contestant]:
    """Ours and the two peers, with one payload."""

    async def ours(count: int) -> None:
        for _ in range(count):
            await echo.ask(payload)

    async def peer(count: int) -> None:
        for _ in range(count):
            direct.echo(payload)

    async def bare(count: int) -> None:
        for _ in range(count):
            await queue_actor.ask(payload)

    return {"ask": ours, "wasmtime-py": peer, "queue": bare}


async def _measure(binary: bytes) -> dict[str, Any]:
    """Figures and ratios for every size."""
    direct, queue_actor = Direct(binary), QueueActor()
    results: dict[str, Any] = {}
    async with ActorSystem() as system:
        echo = await system.load(ComponentId("bench", "echo", "0"), binary)
        for size in SIZES:
            payload = os.urandom(size)
            assert payload == await echo.ask(payload)
            figures = await race(_contestants(echo, direct, queue_actor, payload))
            results[str(size)] = {name: vars_of(figure) for name, figure in figures.items()} | {
                "times_faster_than_wasmtime_py": figures["wasmtime-py"].median / figures["ask"].median,
                "times_slower_than_bare_queue": figures["ask"].median / figures["queue"].median,
            }
    queue_actor.stop()
    return results


async def main() -> None:
    """Run, print the table, write the JSON."""
    results = await _measure((GUESTS / "echo.wasm").read_bytes())
    rows = [
        (
            size,
            *(row[name]["median"] for name in ("ask", "wasmtime-py", "queue")),
            row["times_faster_than_wasmtime_py"],
            row["times_slower_than_bare_queue"],
        )
        for size, row in results.items()
    ]
    show(table(("bytes", "ask µs", "wasmtime-py µs", "bare queue µs", "times faster", "times bare queue"), rows))
    show(f"written to {write('call', results)}")


def vars_of(figure: Any) -> dict[str, float]:
    """A figure as JSON."""
    return {"median": figure.median, "low": figure.low, "high": figure.high}


if __name__ == "__main__":
    asyncio.run(main())
