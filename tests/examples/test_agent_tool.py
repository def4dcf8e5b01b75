"""An agent's tools: whatever a model asks and whatever a tool does, there is an answer for the model, in time."""

import asyncio

import pytest

from airssys_wasm import ActorSystem
from examples.agent_tool import agent
from examples.agent_tool.agent import CALCULATOR, HERE, Toolbox

TRANSCRIPT = """\
calculator {"expression": "2 * (3 + 4)"}
  {"value": 14.0, "steps": 2}
calculator {"expression": "1 / 0"}
  the tool says: division-by-zero
calculator {"expression": "2 +"}
  the tool says: syntax: 3
"""


@pytest.fixture
async def toolbox(actor_system: ActorSystem) -> Toolbox:
    """With an honest tool and another one."""
    toolbox = Toolbox(actor_system)
    for name in ("calculator", "rogue"):
        await toolbox.add(name, HERE / f"{name}.wasm", CALCULATOR)
    return toolbox


def evaluate(expression: object, tool: str = "calculator") -> dict[str, object]:
    """A call as a model writes it."""
    return {"tool": tool, "function": "evaluate", "arguments": {"expression": expression}}


async def test_the_script_of_the_example_ends_each_call_with_a_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Answers, errors of the tool's and of the model's, limits; a crash is gone with the next call."""
    await agent.main()
    said = capsys.readouterr().out
    assert said.startswith(TRANSCRIPT)
    assert [
        "this call is wrong: params.expression: int is no str",
        "the tool took too long and was stopped",
        '{"value": 42.0, "steps": 1}',
        "the tool took too long and was stopped",
        "the tool crashed",
        "there is no tool abacus; there are calculator, rogue",
    ] == [line.strip() for line in said.splitlines()[7::2] if "differentiate" not in line]


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("0.5 + 1.25", '{"value": 1.75, "steps": 1}'),
        ("-2 ^ 3 - -1", '{"value": -7.0, "steps": 2}'),
        ("((7))", '{"value": 7.0, "steps": 0}'),
        ("", "the tool says: syntax: 0"),
        ("1 1", "the tool says: syntax: 2"),
        ("ü", "the tool says: syntax: 0"),
        ("(" * 100 + "1" + ")" * 100, '{"value": 1.0, "steps": 0}'),
        ("(" * 101, "the tool says: too-deep"),
        ("-" * 100_000, "the tool says: too-deep"),
    ],
)
async def test_the_honest_tool_calculates(toolbox: Toolbox, expression: str, answer: str) -> None:
    """And says where it cannot."""
    assert answer == await toolbox.use(evaluate(expression))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("evaluate", "no call of a tool"),
        (None, "no call of a tool"),
        ({"tool": "calculator", "function": "evaluate"}, "no call of a tool"),
        ({"tool": "calculator", "function": "evaluate", "arguments": ["1"]}, "no call of a tool"),
        ({"tool": "calculator", "function": "__init__", "arguments": {}}, "exports no function"),
        ({"tool": "calculator", "function": "evaluate", "arguments": {}}, "this call is wrong"),
        (
            {"tool": "calculator", "function": "evaluate", "arguments": {"expression": "1", "x": 1}},
            "this call is wrong",
        ),
        (
            {"tool": "calculator", "function": "evaluate", "arguments": {"timeout": 1e9}},
            "timeout: is no parameter",
        ),
        (evaluate("\ud800"), "this call is wrong"),
        (evaluate("1" * (1 << 21)), "cannot be used"),
    ],
)
async def test_whatever_a_model_asks_is_answered_without_the_tool(toolbox: Toolbox, asked: object, said: str) -> None:
    """So that it can ask again, in another way."""
    assert said in await toolbox.use(asked)


async def test_a_rogue_keeps_nobody_from_the_others(toolbox: Toolbox) -> None:
    """While it loops, another tool answers; after too many crashes it alone is out of order."""
    looping = asyncio.create_task(toolbox.use(evaluate("1 + 1", "rogue")))
    assert '{"value": 2.0, "steps": 1}' == await toolbox.use(evaluate("1 + 1"))
    assert not looping.done()
    assert "the tool took too long and was stopped" == await looping
    said = [await toolbox.use(evaluate("trap", "rogue")) for _ in range(4)]
    assert ["the tool crashed"] * 3 + ["the tool is out of order"] == said
    assert '{"value": 4.0, "steps": 1}' == await toolbox.use(evaluate("2 + 2"))
