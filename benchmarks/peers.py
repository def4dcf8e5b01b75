"""What others would use instead, each as small as it can be: the peers of the benchmarks."""

import asyncio
from typing import Any, Protocol

import extism  # type: ignore[import-untyped]
import pykka
import wasmtime
from wasmtime import Config, Engine, Store
from wasmtime.component import Component, Linker, Record

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


class Actor(Protocol):
    """What can be asked, ours and theirs."""

    async def ask(self, payload: bytes) -> bytes | None:
        """Send and wait for the answer."""
        ...


class QueueActor:
    """The least that can be called an actor: a task, a queue, a future for each answer."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[tuple[bytes, asyncio.Future[bytes]]] = asyncio.Queue(1024)
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def ask(self, payload: bytes) -> bytes:
        """Send and wait for the answer."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        await self._queue.put((payload, answer))
        return await answer

    async def _run(self) -> None:
        while True:
            payload, answer = await self._queue.get()
            answer.set_result(payload)

    def stop(self) -> None:
        """End the task."""
        self._task.cancel()


class PykkaEcho(pykka.ThreadingActor):
    """An actor of plain Python in a thread of its own."""

    def on_receive(self, message: Any) -> Any:
        """Echo."""
        return message


EXTISM_ECHO = """
(module
  (import "extism:host/env" "input_offset" (func $input_offset (result i64)))
  (import "extism:host/env" "input_length" (func $input_length (result i64)))
  (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
  (memory (export "memory") 1)
  (func (export "echo") (result i32)
    (call $output_set (call $input_offset) (call $input_length))
    (i32.const 0)))
"""
"""The cheapest echo that there is: the input itself is the output, so that all the copying is the host's."""


class ExtismEcho:
    """A plugin of core WebAssembly, called on the spot; no actor, no time limit."""

    def __init__(self) -> None:
        self._plugin = extism.Plugin(bytes(wasmtime.wat2wasm(EXTISM_ECHO)))

    def echo(self, payload: bytes) -> bytes:
        """One call."""
        answer: bytes = self._plugin.call("echo", payload)
        return answer
