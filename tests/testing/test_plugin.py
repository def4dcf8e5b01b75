"""The pytest plugin in runs of its own, as a user of the package has it."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

pytest_plugins = ["pytester"]

README: Final = Path(__file__).parents[2] / "README.md"
EXAMPLE: Final = "# test_greeter.py\n"

LEAKY: Final = """
import asyncio, os, threading, time
import pytest

KEPT = []

def start_thread(**options):
    threading.Thread(target=time.sleep, args=(1,), **options).start()

@pytest.fixture
async def served():
    task = asyncio.create_task(asyncio.sleep(9))
    yield
    task.cancel()
    await asyncio.wait([task])

async def test_leaves_a_task():
    KEPT.append(asyncio.create_task(asyncio.sleep(9)))

def test_leaves_a_thread():
    start_thread(name="worker")

def test_leaves_a_daemon_of_ours():
    start_thread(name="airssys-lane", daemon=True)

def test_leaves_a_file():
    KEPT.append(os.open(__file__, os.O_RDONLY))

async def test_leaves_nothing(served):
    await asyncio.to_thread(int)

@pytest.mark.leaves_behind("threads", reason="shows that it may")
def test_may_leave_a_thread():
    start_thread(name="airssys-lane", daemon=True)
"""

FUNCTION_SCOPE: Final = "asyncio_default_fixture_loop_scope = function"  # some versions warn without

IMPATIENT: Final = """
from airssys_wasm.testing import leaks

leaks.left_behind.__kwdefaults__["settle"] = 0.2
"""

KIT: Final = """
import asyncio, threading
import pytest
from airssys_wasm import ComponentCrashed, ComponentId
from airssys_wasm.testing import OBEDIENT, contract_component

A = ComponentId("demo", "a", "0")
pytestmark = pytest.mark.MARK

@pytest.fixture
def actor_system_settings():
    return {"name": "mine"}

async def test_real(actor_system, recorder):
    guest = await actor_system.load(A, contract_component())
    assert await guest.ask(b"hello") == b"hello"
    assert recorder.kinds() == ["started"]
    assert "mine" in repr(actor_system._settings.host_id)

async def test_scripted(scripted_system, scripted_host, manual_clock):
    guest = await scripted_system.load(A, OBEDIENT)
    with pytest.raises(ComponentCrashed):
        await guest.ask(b"trap", timeout=None)
    await manual_clock.advance(1)
    assert await guest.ask(b"count", timeout=None) == b"1"
    await guest.tell(b"hang")

def test_plain(manual_clock):
    assert manual_clock.time() == 1000.0
"""

WITHOUT_ASYNCIO: Final = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pytest_asyncio":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
import pytest
sys.exit(pytest.main(["-p", "no:asyncio", "-p", "no:cacheprovider"]))
"""


def test_a_test_that_leaves_something_is_an_error_that_names_it(pytester: pytest.Pytester) -> None:
    """Four kinds are found, the loop's own threads and a test's own fixtures are not; a mark lets one."""
    pytester.makeini("[pytest]\nairssys_no_leaks = true\nasyncio_mode = auto")
    pytester.makeconftest(IMPATIENT)
    done = _run(pytester, LEAKY)
    done.assert_outcomes(passed=6, errors=4)
    errors = [line for line in done.outlines if line.startswith("left behind, ")]
    assert errors[0].startswith("left behind, tasks: Task-")
    assert ["left behind, threads: worker", "left behind, threads: airssys-lane"] == errors[1:3]
    assert [f"left behind, files: {pytester.path / 'test_it.py'}"] == errors[3:]


def test_without_the_setting_nothing_is_looked_at(pytester: pytest.Pytester) -> None:
    """Whoever has the package installed is left alone."""
    _run(pytester, "import os\ndef test_leaves_a_file(): os.open(__file__, os.O_RDONLY)").assert_outcomes(passed=1)


def test_the_fixtures_serve_a_user_with_pytest_asyncio(pytester: pytest.Pytester) -> None:
    """In its strict mode, with warnings as errors; a guest that hangs does not keep the test from ending."""
    pytester.makeini("[pytest]\nairssys_no_leaks = true\nfilterwarnings = error\n" + FUNCTION_SCOPE)
    pytester.makeconftest("import sys; assert 'airssys_wasm' not in sys.modules")
    _run(pytester, KIT.replace("MARK", "asyncio").replace("def test_plain", "async def test_plain")).assert_outcomes(
        passed=3
    )


def test_the_fixtures_serve_a_user_of_anyio_without_pytest_asyncio(pytester: pytest.Pytester) -> None:
    """The plugin of anyio, which is always there, runs them."""
    pytester.makeconftest("import pytest\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'")
    pytester.makepyfile(test_it=KIT.replace("MARK", "anyio"))
    pytester.run(sys.executable, "-c", WITHOUT_ASYNCIO).assert_outcomes(passed=3)


def test_the_readmes_example_passes(pytester: pytest.Pytester) -> None:
    """A user pastes it into a file and runs pytest."""
    (block,) = [
        part for part in README.read_text(encoding="utf-8").split("```python\n")[1:] if part.startswith(EXAMPLE)
    ]
    _run(pytester, block.partition("```")[0]).assert_outcomes(passed=2)


def test_the_plugin_is_installed_and_costs_nothing_until_it_is_used() -> None:
    """Else pytest would start slower in every project, and coverage would miss what the package does at import."""
    (plugin,) = importlib.metadata.entry_points(group="pytest11", name="pytest_airssys_wasm")
    assert "pytest_airssys_wasm" == plugin.value
    code = "import sys, pytest_airssys_wasm; print([m for m in sys.modules if m in ('airssys_wasm', 'wasmtime')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50)
    assert "[]\n" == done.stdout


def _run(pytester: pytest.Pytester, text: str) -> pytest.RunResult:
    pytester.makepyfile(test_it=text)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider")
