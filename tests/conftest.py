"""For every test: nothing may be left behind, and hypothesis has one profile here and one in CI."""

import asyncio
import os
from collections.abc import AsyncIterator, Generator
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from tests.leaks import Snapshot, left_behind

BEFORE: Final = pytest.StashKey[Snapshot]()
MOST_SHOWN: Final = 5

settings.register_profile("local", deadline=None, max_examples=50)
settings.register_profile(
    "ci",
    deadline=None,
    max_examples=100,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is no bug
)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_configure(config: pytest.Config) -> None:
    """Register the one way out of the leak check."""
    config.addinivalue_line(
        "markers",
        "leaves_behind(*kinds, reason): the test must leave 'tasks', 'threads' or 'files' behind; say why",
    )


@pytest.fixture(autouse=True)
def _nothing_left_behind(request: pytest.FixtureRequest) -> None:
    """Remember what is there before the test's own fixtures; wider-scoped ones are up already."""
    if request.node.get_closest_marker("asyncio"):
        request.getfixturevalue("_no_task_left")
    request.node.stash[BEFORE] = Snapshot.take()


@pytest.fixture
async def _no_task_left(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Fail a test whose loop still has tasks after the test's fixtures are gone: the loop's end would hide them."""
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left and "tasks" not in _allowed(request.node):
        shown = sorted(f"{task.get_name()} {task.get_coro()!r}" for task in left)[:MOST_SHOWN]
        pytest.fail(f"left behind, {len(left)} tasks: {', '.join(shown)}", pytrace=False)


@pytest.hookimpl(wrapper=True, trylast=True)  # inside the output capture, which opens and closes files
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Fail a test that left a thread or an open file, once its loop and all its fixtures are gone."""
    yield
    before = item.stash.get(BEFORE, None)
    if before is None:
        return
    if left := left_behind(before, allowed=_allowed(item)):
        pytest.fail("left behind, " + "; ".join(f"{k}: {', '.join(v)}" for k, v in left.items()), pytrace=False)


def _allowed(item: pytest.Item) -> set[str]:
    marks = list(item.iter_markers("leaves_behind"))
    if any("reason" not in mark.kwargs for mark in marks):
        pytest.fail("leaves_behind needs a reason", pytrace=False)
    return {kind for mark in marks for kind in mark.args}
