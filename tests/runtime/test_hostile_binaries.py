"""Broken and invented components against the whole system; `benchmarks/hostile_binaries.py` does it by the thousand."""

import random
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.hostile_binaries import Outcome, run, wrong
from benchmarks.hostile_mutants import SEEDS, core_module, made, spliced, wasm_tools
from tests.runtime.guests import binary

COUNT = 300


@pytest.mark.slow
@pytest.mark.timeout(600)  # each has several lives, in processes of their own
def test_no_binary_brings_the_process_down_or_leaves_anything(tmp_path: Path) -> None:
    """Mutated byte by byte, section by section and by wasm-tools, and generated: typed errors only, deadlines kept."""
    outcomes = run(20, COUNT, tmp_path)
    assert [] == wrong(outcomes)
    assert COUNT == len(outcomes)
    stages = Counter(outcome.stage for outcome in outcomes)
    assert stages["check"] > 50
    if wasm_tools():
        assert stages["load"] > 10
        assert stages["end"] > 10


def test_a_process_that_aborts_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    """The harness sees what it is there for."""
    outcomes = run(20, 4, tmp_path, workers=1, kinds=["control", "sections"])
    assert ["abort", "check", "abort", "check"] == [outcome.stage for outcome in outcomes]
    assert [outcomes[0], outcomes[2]] == wrong(outcomes)
    assert all(isinstance(outcome, Outcome) for outcome in outcomes)


@pytest.mark.parametrize("base", SEEDS)
def test_the_same_dice_make_the_same_binary(base: str) -> None:
    """A seed is enough to report one."""
    for kind in ("bytes", "sections"):
        first, second = (made(kind, base, random.Random(5), None) for _ in range(2))
        assert first == second


def test_a_core_module_put_back_gives_the_same_component() -> None:
    """Splicing changes nothing else."""
    data = binary("hostile")
    assert data == spliced(data, core_module(data))
