"""What README.md shows works.

The format that README.md keeps to:

- Its first two ```sh blocks have one line each: the first installs the package and runs the example pipeline, the
  second installs the development tools and runs the tests. Both are meant for a fresh clone and an activated fresh
  environment; `.ci/run` calls both.
- Each ```python block is a complete program, run from the root of the repository; top-level `await` is allowed. It
  must end well, without warnings and without exceptions that nobody saw; what it logs is its own affair.
- A ```text block right after a ```python block is what that block prints.
- `<!-- skip-test: reason -->` on the line above a ```python block: it is compiled, not run.
"""

import ast
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Final

import attrs
import pytest

ROOT: Final = Path(__file__).parent.parent
README: Final = ROOT / "README.md"
CI_RUN: Final = ROOT / ".ci" / "run"
PIPELINE: Final = "airssys-wasm run examples/logs/pipeline.toml"
BLOCK_SECONDS: Final = 50.0
FENCE: Final = re.compile(
    r"(?:^<!-- skip-test: (?P<reason>.+?) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
UNSEEN: Final = re.compile(r"Exception ignored|never (awaited|retrieved)|destroyed but|\b\w+Warning: ")
# Runs the file named first as a program with top-level await; its line numbers are the README's.
RUNNER: Final = """
import ast, asyncio, inspect, pathlib, sys
source = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
code = compile(source, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
result = eval(code, {"__name__": "__main__"})
if inspect.iscoroutine(result):
    asyncio.run(result)
"""


@attrs.frozen
class Block:
    """A fenced block of the README."""

    line: int
    language: str
    text: str
    skip_reason: str | None
    end: int
    start: int


def blocks_of(markdown: str) -> list[Block]:
    """All fenced blocks, in order."""
    return [
        Block(
            line=markdown.count("\n", 0, match.start("text")) + 1,
            language=match["language"],
            text=match["text"],
            skip_reason=match["reason"],
            start=match.start(),
            end=match.end(),
        )
        for match in FENCE.finditer(markdown)
    ]


def outputs_of(markdown: str) -> dict[int, str]:
    """What the README says a Python block prints, by the block's line."""
    blocks = blocks_of(markdown)
    return {
        first.line: second.text
        for first, second in pairwise(blocks)
        if (first.language, second.language) == ("python", "text") and not markdown[first.end : second.start].strip()
    }


def commands_of(markdown: str) -> list[str]:
    """The lines of the first two ```sh blocks."""
    return [
        line for block in [b for b in blocks_of(markdown) if b.language == "sh"][:2] for line in block.text.splitlines()
    ]


TEXT: Final = README.read_text(encoding="utf-8")
PYTHON_BLOCKS: Final = [block for block in blocks_of(TEXT) if block.language == "python"]


def _run(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    program = folder / "block.py"
    program.write_text("\n" * (block.line - 1) + block.text, encoding="utf-8")
    command = [sys.executable, "-W", "error", "-c", RUNNER, str(program)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=BLOCK_SECONDS, check=False)


@pytest.mark.parametrize("block", PYTHON_BLOCKS, ids=lambda block: f"line_{block.line}")
def test_a_python_block_runs(block: Block, tmp_path: Path) -> None:
    """A newcomer who pastes the block sees it work, and sees what the README says it prints."""
    compile(block.text, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if block.skip_reason:
        return
    done = _run(block, tmp_path)
    assert done.returncode == 0, done.stderr
    assert not UNSEEN.search(done.stderr), done.stderr
    assert outputs_of(TEXT).get(block.line, done.stdout) == done.stdout


def test_there_is_something_to_run() -> None:
    """At least one block shows the package embedded in a program."""
    assert any(block.skip_reason is None for block in PYTHON_BLOCKS)


def test_two_command_lines_come_first_and_ci_calls_them() -> None:
    """What the README tells a newcomer to type is what CI types, word for word."""
    first, second = commands_of(TEXT)
    assert PIPELINE in first
    script = CI_RUN.read_text(encoding="utf-8")
    assert [f"RUN_COMMAND={_quoted(first)}", f"TEST_COMMAND={_quoted(second)}"] == [
        line for line in script.splitlines() if re.match(r"(RUN|TEST)_COMMAND=", line)
    ]
    assert 'eval "$RUN_COMMAND"' in script
    assert 'eval "$TEST_COMMAND"' in script


def _quoted(command: str) -> str:
    """As .ci/run writes it: in double quotes, for the commands hold single ones."""
    assert not set(command) & set('"$`\\')
    return f'"{command}"'


SAMPLE: Final = """\
<!-- skip-test: needs a server -->
```python
await x
```

```sh
one
```

```python
print(1)
```

```text
1
```
"""


def test_blocks_are_found_with_their_lines_outputs_and_reasons() -> None:
    """The format above is read as it is written."""
    found = [(block.line, block.language, block.text, block.skip_reason) for block in blocks_of(SAMPLE)]
    expected = [
        (3, "python", "await x\n", "needs a server"),
        (7, "sh", "one\n", None),
        (11, "python", "print(1)\n", None),
        (15, "text", "1\n", None),
    ]
    assert expected == found
    assert {11: "1\n"} == outputs_of(SAMPLE)
    assert ["one"] == commands_of(SAMPLE)


def test_a_block_that_fails_or_warns_is_noticed(tmp_path: Path) -> None:
    """The runner awaits at top level, and reports an exception with the README's line."""
    good = Block(1, "python", "import asyncio\nawait asyncio.sleep(0)\nprint('done')\n", None, 0, 0)
    bad = Block(7, "python", "import asyncio\nasync with asyncio.timeout(1):\n    1 / 0\n", None, 0, 0)
    assert "done\n" == _run(good, tmp_path).stdout
    unseen = Block(1, "python", "async def f():\n    pass\n\nf()\n", None, 0, 0)
    assert UNSEEN.search(_run(unseen, tmp_path).stderr)
    failed = _run(bad, tmp_path)
    assert failed.returncode == 1
    assert 'README.md", line 9' in failed.stderr
