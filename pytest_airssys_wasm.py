"""The pytest plugin of `airssys_wasm.testing`: fixtures, and a check that a test leaves nothing behind.

| fixture | gives |
|---|---|
| `actor_system` | an entered `ActorSystem`, left after the test |
| `actor_system_settings` | its keyword arguments; override it |
| `manual_clock`, `scripted_host` | a clock that the test moves, and scripted guests that go by it |
| `scripted_system` | a system of these two; guests that hang do not keep it from ending |
| `recorder` | the events and dead letters of `actor_system`; for another system, `Recorder(system)` |

`airssys_no_leaks = true` in pytest's settings fails each test that leaves a task, thread or open file behind; the mark
`leaves_behind("threads", reason="…")` lets one. The asynchronous fixtures are pytest-asyncio's, on the loop of its
tests; where it is not installed they are for tests with anyio's mark. Who uses none of this notices nothing of it.

The module stands beside the package because pytest imports plugins before anything else: to import the package here
would cost every run a third of a second, and hide its import from coverage. Each function imports what it needs.
"""

# ruff: noqa: PLC0415 - see above

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from airssys_wasm import ActorSystem
    from airssys_wasm.testing import ManualClock, Recorder, ScriptedHost
    from airssys_wasm.testing.leaks import Snapshot

try:
    from pytest_asyncio import fixture as _async_fixture
except ImportError:
    _async_fixture = pytest.fixture  # type: ignore[assignment]

SETTING: Final = "airssys_no_leaks"
MARK: Final = "leaves_behind"
BEFORE: "Final[pytest.StashKey[Snapshot]]" = pytest.StashKey()


@pytest.fixture
def actor_system_settings() -> dict[str, Any]:
    """The keyword arguments of `ActorSystem` for `actor_system` and `scripted_system`; override it."""
    return {}


@_async_fixture
async def actor_system(actor_system_settings: dict[str, Any]) -> AsyncIterator["ActorSystem"]:
    """An entered `ActorSystem`, left after the test."""
    from airssys_wasm import ActorSystem

    async with ActorSystem(**actor_system_settings) as system:
        yield system


@pytest.fixture
def manual_clock() -> "ManualClock":
    """A clock that stands still until the test moves it."""
    from airssys_wasm.testing import ManualClock

    return ManualClock()


@pytest.fixture
def scripted_host(manual_clock: "ManualClock") -> "ScriptedHost":
    """A maker of scripted guests that go by `manual_clock`."""
    from airssys_wasm.testing import ScriptedHost

    return ScriptedHost(clock=manual_clock)


@_async_fixture
async def scripted_system(
    scripted_host: "ScriptedHost", manual_clock: "ManualClock", actor_system_settings: dict[str, Any]
) -> AsyncIterator["ActorSystem"]:
    """An entered `ActorSystem` of scripted guests, whose time is `manual_clock`."""
    from airssys_wasm.testing import scripted_system

    async with scripted_system(scripted_host, manual_clock, **actor_system_settings) as system:
        yield system


@pytest.fixture
def recorder(actor_system: "ActorSystem") -> "Recorder":
    """The events and dead letters of `actor_system`, from its beginning."""
    from airssys_wasm.testing import Recorder

    return Recorder(actor_system)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the setting of the leak check."""
    parser.addini(SETTING, "fail each test that leaves a task, thread or open file behind", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Register the one way out of the leak check."""
    line = f"{MARK}(*kinds, reason): the test must leave 'tasks', 'threads' or 'files' behind; say why"
    config.addinivalue_line("markers", line)


@pytest.fixture(autouse=True)
def _nothing_left_behind(request: pytest.FixtureRequest) -> None:
    """Remember what is there before the test's own fixtures; wider-scoped ones are up already."""
    if request.config.getini(SETTING):
        from airssys_wasm.testing.leaks import Snapshot

        if request.node.get_closest_marker("asyncio"):
            request.getfixturevalue("_no_task_left")
        request.node.stash[BEFORE] = Snapshot.take()


@_async_fixture
async def _no_task_left(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Fail a test whose loop still has tasks after the test's fixtures are gone: the loop's end would hide them."""
    from airssys_wasm.testing.leaks import in_words, tasks_left

    before = asyncio.all_tasks()
    yield
    left = tasks_left(before)
    if left and "tasks" not in _allowed(request.node):
        pytest.fail(in_words({"tasks": left}), pytrace=False)


@pytest.hookimpl(wrapper=True, trylast=True)  # inside the output capture, which opens and closes files
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Fail a test that left a thread or an open file, once its loop and all its fixtures are gone."""
    yield
    before = item.stash.get(BEFORE, None)
    if before is not None:
        from airssys_wasm.testing.leaks import in_words, left_behind

        getattr(item, "funcargs", {}).clear()  # a handle that a fixture gave still holds its component's code
        if left := left_behind(before, allowed=_allowed(item)):
            pytest.fail(in_words(left), pytrace=False)


def _allowed(item: pytest.Item) -> set[str]:
    marks = list(item.iter_markers(MARK))
    if any("reason" not in mark.kwargs for mark in marks):
        pytest.fail(f"{MARK} needs a reason", pytrace=False)
    return {kind for mark in marks for kind in mark.args}
