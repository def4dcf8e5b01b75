"""The plots of the figures: SVG, small, readable on a light and on a dark page."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

mpl.use("svg")
mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "airssys", "font.size": 10, "axes.grid": True})

COLOURS = {"ask": "#d55e00", "queue": "#0072b2", "wasmtime-py": "#009e73", "extism": "#cc79a7"}
NAMES = {
    "ask": "airssys_wasm ask",
    "queue": "bare asyncio-queue actor",
    "wasmtime-py": "wasmtime-py",
    "extism": "Extism",
}

Found = Mapping[str, Mapping[str, Any]]
Plot = Callable[[Found, Path], bool]


def _saved(axes: Axes, path: Path) -> bool:
    axes.legend(frameon=False)
    plt.gcf().set_facecolor("white")
    plt.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close()
    return True


def growth(found: Found, path: Path) -> bool:
    """The cost of an ask that goes round more and more actors."""
    rows = found.get("round", {}).get("results")
    if not rows:
        return False
    _, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    counts = [int(count) for count in rows]
    for name in ("ask", "queue"):
        figures = [rows[str(count)][name] for count in counts]
        axes.plot(counts, [one["median"] for one in figures], "o-", color=COLOURS[name], label=NAMES[name])
        low, high = ([one[end] for one in figures] for end in ("low", "high"))
        axes.fill_between(counts, low, high, color=COLOURS[name], alpha=0.15)
    axes.set(xscale="log", xlabel="actors asked in turn", ylabel="µs an ask", title="Cost as load grows (64 B)")
    axes.set_ylim(bottom=0)
    return _saved(axes, path)


def payloads(found: Found, path: Path) -> bool:
    """The cost of a payload, by its size."""
    rows = found.get("payload", {}).get("results")
    if not rows:
        return False
    _, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    sizes = list(dict.fromkeys(row["size"] for row in rows.values()))
    for name in ("ask", "extism", "wasmtime-py"):
        for kind, line in (("random", "o-"), ("ascii", "s--")):
            taken = [rows[f"{size} {kind}"][name]["median"] for size in sizes]
            axes.plot(sizes, taken, line, color=COLOURS[name], label=f"{NAMES[name]}, {kind}")
    axes.set(yscale="log", xlabel="payload", ylabel="µs an echo", title="Cost of a payload")
    return _saved(axes, path)


def gaps(found: Found, path: Path) -> bool:
    """The gaps of the event loop beside each kind of hog."""
    rows = found.get("gap", {}).get("results")
    if not rows:
        return False
    _, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    places = range(len(rows))
    for name, colour in (("p99_ms", "#0072b2"), ("p50_ms", "#d55e00")):
        taken = [row[name] for row in rows.values()]
        axes.barh(places, taken, color=colour, label=name.removesuffix("_ms"), height=0.6)
    axes.set_yticks(places, list(rows))
    axes.set(xlabel="longest gap of the loop in each 10 ms, ms", title="The event loop beside hostile guests")
    return _saved(axes, path)


PLOTS: Mapping[str, Plot] = {"growth": growth, "payloads": payloads, "gaps": gaps}
