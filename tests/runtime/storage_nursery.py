"""Run as a program: makes a process for each line of its input, which writes to a storage until it is killed.

Started once, because importing the package takes longer than all that such a process lives to do. A line is the path
of a database; the pid is answered. What has been acknowledged goes to `<path>.acknowledged`, a line for each write.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final

from airssys_wasm.core.ids import ComponentId
from airssys_wasm.runtime.storage import open_storage

WRITERS: Final = 6
VALUE_BYTES: Final = 300
LONGEST_LIFE: Final = 60  # seconds, should nobody kill it


def value_of(writer: int, number: int) -> bytes:
    """What is written as a writer's n-th value."""
    return f"{writer}/{number}/".encode() * (VALUE_BYTES // 8)


async def write_until_killed(path: Path) -> None:
    """New keys and one that is overwritten, several writers at a time."""
    storage = await open_storage(path)
    acknowledged = os.open(f"{path}.acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def write(writer: int) -> None:
        component = ComponentId("demo", "writer", str(writer))
        for number in range(1_000_000):
            for key in ("latest", f"key-{number}"):
                await storage.set(component, key, value_of(writer, number), max_bytes=1 << 40, max_keys=1 << 40)
            os.write(acknowledged, f"{writer} {number}\n".encode())

    await asyncio.gather(*map(write, range(WRITERS)))


def main() -> None:
    """One process a line; those that were killed are not waited for."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            signal.alarm(LONGEST_LIFE)
            asyncio.run(write_until_killed(Path(line.strip())))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
