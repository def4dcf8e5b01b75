"""Pipelines over files, written in a few words: for the tests of running them."""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Final

from airssys_wasm.system.pipeline import Pipeline
from airssys_wasm.system.pipeline_open import open_pipeline
from airssys_wasm.system.pipeline_summary import PipelineSummary

ROOT: Final = Path(__file__).parents[2]
GUESTS: Final = ROOT / "tests" / "guests"
LOGS: Final = ROOT / "examples" / "logs"


def component(name: str, guest: str, more: str = "") -> str:
    """One `[[component]]` of a test guest."""
    return f'[[component]]\nid = "{name}"\npath = "{GUESTS / guest}.wasm"\n{more}\n'


def write(folder: Path, components: str, routes: str, lines: Iterable[bytes] = (), head: str = "") -> Path:
    """A pipeline from in.txt to out.txt; routes as "in > x/a > out, in > x/b"."""
    (folder / "in.txt").write_bytes(b"".join(line + b"\n" for line in lines))
    steps = [step for chain in routes.split(",") for step in pairwise(name.strip() for name in chain.split(">"))]
    text = "".join(f'[[route]]\nfrom = "{origin}"\nto = "{target}"\n' for origin, target in dict.fromkeys(steps))
    file = folder / "pipeline.toml"
    file.write_text(
        f"{head}\n{components}\n{text}"
        '[[source]]\nname = "in"\nkind = "file"\npath = "in.txt"\n'
        '[[sink]]\nname = "out"\nkind = "file"\npath = "out.txt"\n'
    )
    return file


def results(folder: Path) -> list[bytes]:
    """The lines of out.txt."""
    return (folder / "out.txt").read_bytes().split(b"\n")[:-1]


async def run(
    folder: Path, components: str, routes: str, lines: Iterable[bytes] = (), head: str = ""
) -> tuple[PipelineSummary, list[bytes]]:
    """Run a pipeline over lines; its summary and the lines that came out."""
    pipeline = await opened(folder, components, routes, lines, head)
    return await pipeline.run(), results(folder)


async def opened(folder: Path, components: str, routes: str, lines: Iterable[bytes] = (), head: str = "") -> Pipeline:
    """A pipeline that can be run."""
    return Pipeline(await open_pipeline(write(folder, components, routes, lines, head)))
