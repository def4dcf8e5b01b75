"""How long does a live upgrade hold an actor up under full load, and is anything lost, repeated or overtaken?

Senders ask in bursts, so that the mailbox is never empty, while the component is upgraded again and again, between two
versions that hand their count over and answer it. The count says whether each message was handled once and in order.
The pause is the gap between the last answer of one version and the first of the next, as the askers see it; beside it
stands the longest gap of as many stretches of the same length, of the same run, without an upgrade.
"""

import asyncio
import itertools
import os
import statistics
import time
from typing import Any

import attrs

from airssys_wasm import ActorHandle, ActorSystem, ComponentId, Limits
from benchmarks.harness import GUESTS, QUICK, Target, run_main, show, table, tell

SENDERS, BURST = 8, 16
UPGRADES = 6 if QUICK else 40
STRETCH = 0.05
PAYLOAD = os.urandom(64)


@attrs.frozen
class Answer:
    """One message, handled."""

    at: float
    version: bytes
    count: int


@attrs.define(eq=False)
class Load:
    """What the senders have seen."""

    actor: ActorHandle
    answers: list[Answer] = attrs.field(factory=list)
    sent: int = 0
    overtaken: int = 0
    running: bool = True

    async def ask(self) -> int:
        """One message."""
        self.sent += 1
        version, _, count = (await self.actor.ask(PAYLOAD, timeout=None) or b"").partition(b" ")
        self.answers.append(Answer(time.perf_counter(), version, int(count)))
        return int(count)

    async def send(self) -> None:
        """One sender: what it asks in this order must be handled in this order."""
        last = 0
        while self.running:
            counts = [last, *await asyncio.gather(*(self.ask() for _ in range(BURST)))]
            self.overtaken += sum(after <= before for before, after in itertools.pairwise(counts))
            last = counts[-1]

    def longest_gap(self, begin: float, end: float) -> float:
        """Between two answers of a stretch of time."""
        times = [begin, *(answer.at for answer in self.answers if begin <= answer.at <= end), end]
        return max(after - before for before, after in itertools.pairwise(times))

    def swaps(self) -> list[float]:
        """The gaps between the answers of one version and the next."""
        pairs = itertools.pairwise(sorted(self.answers, key=lambda answer: answer.count))
        return [after.at - before.at for before, after in pairs if before.version != after.version]


async def loaded(system: ActorSystem) -> tuple[Load, list[float], list[float]]:
    """Upgrade under load; the load, the longest gap of each upgrade, the longest gaps without any."""
    versions = [await system.compile(GUESTS / f"state{number}.wasm") for number in (1, 2)]
    limits = Limits(mailbox_capacity=64)  # less than the senders have under way: some wait outside
    actor = await system.load(ComponentId("bench", "state", "0"), versions[0], limits=limits)
    load, upgraded, plain = Load(actor), list[float](), list[float]()
    senders = [asyncio.create_task(load.send()) for _ in range(SENDERS)]
    await asyncio.sleep(STRETCH)
    for number in range(UPGRADES):
        for gaps in (plain, upgraded):
            begin = time.perf_counter()
            if gaps is upgraded:
                await system.upgrade(actor, versions[(number + 1) % 2], probation=0.02)
            await asyncio.sleep(max(0.0, begin + STRETCH - time.perf_counter()))
            gaps.append(load.longest_gap(begin, time.perf_counter()))
    load.running = False
    await asyncio.gather(*senders)
    return load, upgraded, plain


def row(name: str, gaps: list[float]) -> tuple[str, float, float]:
    """Milliseconds."""
    return name, statistics.median(gaps) * 1e3, max(gaps) * 1e3


async def main() -> None:
    """Run, check, print, write."""
    async with ActorSystem() as system:
        load, upgraded, plain = await loaded(system)
    counts = sorted(answer.count for answer in load.answers)
    lost, twice = load.sent - len(load.answers), len(counts) - len(set(counts))
    assert lost + twice or counts == list(range(1, load.sent + 1))
    rows = [
        row("swap: last answer of the old to first of the new", load.swaps()),
        row("longest gap of a stretch with an upgrade", upgraded),
        row("longest gap of a stretch without", plain),
    ]
    show(table(("gap", "median ms", "most ms"), rows))
    show(f"{UPGRADES} upgrades in {load.sent} messages: {lost} lost, {twice} twice, {load.overtaken} overtaken")
    results: dict[str, Any] = {name: {"median_ms": middle, "most_ms": most} for name, middle, most in rows}
    ratio = statistics.median(upgraded) / statistics.median(plain)
    question = "longest gap between answers, live upgrade under full load"
    targets = [Target(question, "the same load without an upgrade", ratio, 10)]
    wrong = float(lost + twice + load.overtaken)
    targets.append(Target("messages lost, repeated or overtaken by an upgrade", "none", wrong, 0, unit="messages"))
    tell("upgrade", results | {"messages": load.sent, "upgrades": UPGRADES}, targets)


if __name__ == "__main__":
    run_main(main)
