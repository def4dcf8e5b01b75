"""For every test: hypothesis has one profile here and one in CI. The plugin checks that nothing is left behind."""

import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from airssys_wasm.runtime.cache import DIRECTORY_VARIABLE

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


@pytest.fixture(scope="session", autouse=True)
def _own_compile_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep compiled components out of the user's cache, and apart from those of other runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DIRECTORY_VARIABLE, str(tmp_path_factory.mktemp("compiled")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _slow_machines_are_not_news() -> Iterator[None]:
    """Drop asyncio's word of slow callbacks, in debug mode: the machine's other work is no matter of the tests."""
    logger = logging.getLogger("asyncio")

    def is_news(record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith("Executing")

    logger.addFilter(is_news)
    yield
    logger.removeFilter(is_news)
