"""wasmtime's C API, as the tests of the runtime have it."""

import pytest

from tests.runtime.bare import BareEngine


@pytest.fixture
def bare() -> BareEngine:
    """The C API without the runtime."""
    return BareEngine()
