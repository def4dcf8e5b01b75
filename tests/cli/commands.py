"""The program as a user starts it."""

import itertools
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
GUESTS: Final = ROOT / "tests" / "guests"
PROGRAM: Final = (sys.executable, "-m", "airssys_wasm")


def airssys(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end."""
    return subprocess.run([*PROGRAM, *arguments], input=stdin, capture_output=True, cwd=ROOT, check=False, timeout=50)


def start(*arguments: str | Path) -> "subprocess.Popen[bytes]":
    """Start a command with pipes for all three streams."""
    pipe = subprocess.PIPE
    return subprocess.Popen([*PROGRAM, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT, bufsize=0)


def stages(folder: Path, guests: Sequence[str], more: str = "") -> Path:
    """A pipeline from stdin through components of test guests to stdout."""
    names = [f"x/{number}" for number in range(len(guests))]
    parts = ['[[source]]\nname = "in"\nkind = "stdin"\n', '[[sink]]\nname = "out"\nkind = "stdout"\n']
    parts += [
        f'[[component]]\nid = "{name}"\npath = "{GUESTS / guest}.wasm"\n{more}\n'
        for name, guest in zip(names, guests, strict=True)
    ]
    ends = ["in", *names, "out"]
    parts += [f'[[route]]\nfrom = "{a}"\nto = "{b}"\n' for a, b in itertools.pairwise(ends)]
    file = folder / "stages.toml"
    file.write_text("".join(parts))
    return file
