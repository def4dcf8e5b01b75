"""An agent's tools as components that nobody has to trust: typed calls, a deadline, a bound on memory, no way out.

    python examples/agent_tool/agent.py

A language model asks for tools in JSON, and may ask for anything; a tool is somebody's code, and may do anything. Each
call ends in one short text for the model, and within `DEADLINE` seconds of work. The model here is a script.
"""

import asyncio
import dataclasses
import json
from pathlib import Path
from typing import Any

import attrs

from airssys_wasm import (
    ActorHandle,
    ActorStopped,
    ActorSystem,
    AirssysError,
    CallError,
    CallRefused,
    ComponentCrashed,
    ComponentId,
    DeadlineExceeded,
    Limits,
    RequestTimeout,
)

HERE = Path(__file__).parent
CALCULATOR = "agent:tools/calculator@1.0.0"
DEADLINE = 1.0
LIMITS = Limits(max_execution_time=DEADLINE, max_memory_bytes=4 * 1024 * 1024, mailbox_capacity=8)

THE_MODEL_ASKS = [
    {"tool": "calculator", "function": "evaluate", "arguments": {"expression": "2 * (3 + 4)"}},
    {"tool": "calculator", "function": "evaluate", "arguments": {"expression": "1 / 0"}},
    {"tool": "calculator", "function": "evaluate", "arguments": {"expression": "2 +"}},
    {"tool": "calculator", "function": "evaluate", "arguments": {"expression": 7}},
    {"tool": "calculator", "function": "differentiate", "arguments": {}},
    {"tool": "calculator", "function": "evaluate", "arguments": {"expression": "2 ^ 1000000000000"}},
    {"tool": "calculator", "function": "evaluate", "arguments": {"expression": "6 * 7"}},
    {"tool": "rogue", "function": "evaluate", "arguments": {"expression": "1 + 1"}},
    {"tool": "rogue", "function": "evaluate", "arguments": {"expression": "memory"}},
    {"tool": "abacus", "function": "evaluate", "arguments": {"expression": "1 + 1"}},
]


@attrs.frozen
class Toolbox:
    """Tools by name; whatever one of them does is a text for the model."""

    system: ActorSystem
    tools: dict[str, tuple[ActorHandle, str]] = attrs.field(factory=dict)

    async def add(self, name: str, component: Path, interface: str) -> None:
        """Load a tool, without a single grant; it is started again when it crashes."""
        handle = await self.system.load(ComponentId("tools", name, "0"), component, limits=LIMITS)
        self.tools[name] = handle, interface

    async def use(self, asked: object) -> str:
        """Do what the model asks, if it is a call at all."""
        match asked:
            case {"tool": str(name), "function": str(function), "arguments": dict(arguments)} if name in self.tools:
                return await self._call(*self.tools[name], function, arguments)
            case {"tool": str(name), "function": str(), "arguments": dict()}:
                return f"there is no tool {name}; there are {', '.join(self.tools)}"
            case _:
                return "this is no call of a tool: it needs tool, function and arguments"

    async def _call(self, tool: ActorHandle, interface: str, function: str, arguments: dict[str, Any]) -> str:
        try:
            # Twice the deadline: it may have to wait for another call first.
            answer = await tool.call(interface, function, named=arguments, timeout=2 * DEADLINE, interrupt=True)
        except AirssysError as exc:
            return explain(exc)
        return json.dumps(answer, default=dataclasses.asdict)  # WIT's records are dataclasses


def explain(exc: AirssysError) -> str:
    """What a model can do something with: whose mistake it was, and which."""
    match exc:
        case CallError():
            return f"the tool says: {exc}"
        case CallRefused():
            return f"this call is wrong: {exc}"
        case RequestTimeout() | ComponentCrashed(__cause__=DeadlineExceeded()):
            return "the tool took too long and was stopped"
        case ComponentCrashed():
            return "the tool crashed"
        case ActorStopped():
            return "the tool is out of order"
        case _:
            return f"the tool cannot be used: {exc}"


async def main() -> None:
    async with ActorSystem("agent") as system:
        toolbox = Toolbox(system)
        await toolbox.add("calculator", HERE / "calculator.wasm", CALCULATOR)
        await toolbox.add("rogue", HERE / "rogue.wasm", CALCULATOR)
        for asked in THE_MODEL_ASKS:
            said = await toolbox.use(asked)
            print(f"{asked['tool']} {json.dumps(asked['arguments'])}\n  {said}")


if __name__ == "__main__":
    asyncio.run(main())
