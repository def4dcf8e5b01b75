"""Memory maps: the kernel allows a process so many, and beyond that Python fails with MemoryError anywhere at all.

A live actor takes some 3 maps or some 8 (`machine.Profile`), so that `vm.max_map_count` ends at 65,530 by default what
memory would allow to go on. Counting them takes a line of text a map, so it is done seldom: after each count as many
starts go unquestioned as a quarter of the room is enough for, the rest being for other engines of the same process.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final, final

import anyio
import anyio.to_thread
import attrs

from airssys_wasm.core.errors import TooManyMaps
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.runtime.machine import Profile

RESERVE: Final = 1024
"""Maps left to everything else: threads take two each, Python's own memory one now and then."""

_SMALL_MOST, _LARGE_MOST = 5, 12
_SMALL_MEMORY, _LARGE_MEMORY = 2, 5
"""What one more memory takes at most."""
_SHARE: Final = 4
_LIMIT: Final = Path("/proc/sys/vm/max_map_count")
_MAPS: Final = Path("/proc/self/maps")
_CHUNK: Final = 1 << 16


def map_limit() -> int | None:
    """How many maps a process may have; None where the system has no such limit, or does not tell."""
    try:
        return int(_LIMIT.read_text())
    except (OSError, ValueError):
        return None


def count_maps() -> int:
    """How many maps this process has; takes a millisecond for some thousands."""
    with _MAPS.open("rb", buffering=0) as lines:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: lines.read(_CHUNK), b""))


@final
@attrs.define(eq=False)
class MapRoom:
    """Admits instances as long as there are maps for them."""

    limit: int | None = attrs.field(factory=map_limit)
    count: Callable[[], int] = count_maps
    _left: int = attrs.field(default=0, init=False)
    _counting: anyio.Lock = attrs.field(factory=anyio.Lock, init=False)

    async def admit(self, profile: Profile, component: ComponentId, memories: int = 1) -> None:
        """Let one more instance start, of so many memories.

        Raises:
            TooManyMaps: There is no room for it.

        Cancellation: nothing is taken.
        """
        most, each = (_SMALL_MOST, _SMALL_MEMORY) if profile.small else (_LARGE_MOST, _LARGE_MEMORY)
        most += each * (memories - 1)
        if self.limit is not None and self._left < most:
            await self._count_again(self.limit, most, component)
        self._left -= most

    async def _count_again(self, limit: int, most: int, component: ComponentId) -> None:
        async with self._counting:  # of many that start at once, each after what those before it took
            if self._left >= most:
                return
            used = await anyio.to_thread.run_sync(self.count)
            room = limit - RESERVE - used
            if room < most:
                raise TooManyMaps(used, limit, component)
            self._left = max(most, room // _SHARE)
