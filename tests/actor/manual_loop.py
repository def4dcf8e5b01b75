"""An event loop whose clock a test moves."""

import asyncio


class ManualLoop(asyncio.SelectorEventLoop):
    """A loop whose time passes when the test says so."""

    now = 0.0

    def time(self) -> float:
        """Seconds since the test began."""
        return self.now
