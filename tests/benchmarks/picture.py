"""The picture of the results: four panels of four bars, and the rest is in the table.

It is drawn by matplotlib, which measures its labels and draws them as shapes, so that it looks the
same wherever it is looked at: `pip install -e '.[bench]'`.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from tests.benchmarks.measuring import OURS, Part
from tests.benchmarks.results import Results, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = {
    "durable steps": "Durable steps a second",
    "resume of 10,000 finished steps, no lease waited for": "Resume of 10,000 finished steps",
    "trigger of 3 typed steps": "Run of three steps, start and end included",
    "50 triggers at once": "50 such runs at once",
}
"""The works that are drawn, and what a reader knows them by."""

_NOT_DURABLE = "synchronous NORMAL"
"""The setting with which a power cut takes steps back: no bar for that."""

_INK, _DIM, _OURS, _PEER = "#1f2328", "#59636e", "#1f883d", "#afb8c1"
_DARK = {_INK: "#f0f6fc", _DIM: "#9198a1", _OURS: "#3fb950", _PEER: "#545d68"}


def bars(part: Part) -> dict[str, float]:
    """durably, and of each peer its best settings, which begin behind the comma of their name."""
    best: dict[str, str] = {}
    for name in part.figures:
        peer = name.partition(", ")[0]
        if _NOT_DURABLE in name or (name != OURS and ", " not in name) or "bare" in peer:
            continue
        if peer not in best or _is_better(part, name, best[peer]):
            best[peer] = name
    return {name: part.figures[name] for name in best.values()}


def _is_better(part: Part, one: str, other: str) -> bool:
    left, right = part.figures[one], part.figures[other]
    return left > right if part.more_is_better else left < right


def picture(results: Results) -> str:
    """The SVG, in the colours of whichever theme it is seen in."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    mpl.rcParams |= {"svg.hashsalt": "durably", "text.color": _INK, "font.size": 9}
    drawn, panels = pyplot.subplots(2, 2, figsize=(9, 5.2), layout="constrained")
    drawn.get_layout_engine().set(wspace=0.08, hspace=0.1)
    for panel, (work, title) in zip(panels.flat, PANELS.items(), strict=True):
        _draw(panel, next(part for part in results.parts if part.work == work), title)
    out = io.StringIO()
    drawn.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    pyplot.close(drawn)
    return _with_both_themes(out.getvalue())


def _draw(panel: Axes, part: Part, title: str) -> None:
    shown = bars(part)
    places = range(len(shown))
    colours = [_OURS if name == OURS else _PEER for name in shown]
    drawn = panel.barh(places, list(shown.values()), height=0.62, color=colours)
    labels = [f" {figure(number)} {_unit(part)}" for number in shown.values()]
    panel.bar_label(drawn, labels, color=_INK)
    panel.set_yticks(places, [name.replace(", ", "\n", 1) for name in shown])
    for label in panel.get_yticklabels():
        label.set_color(_INK)
    better = "more is better" if part.more_is_better else "less is better"
    panel.set_title(title, loc="left", fontweight="bold", fontsize=10, pad=18)
    panel.text(0, 1.03, better, color=_DIM, fontsize=8.5, transform=panel.transAxes)
    panel.invert_yaxis()
    panel.margins(x=0.22)
    panel.tick_params(length=0, labelbottom=False)
    panel.spines[:].set_visible(False)


def _unit(part: Part) -> str:
    return "" if part.unit.startswith("a ") else part.unit


def _with_both_themes(svg: str) -> str:
    """The same SVG with a style that puts the dark theme's colours in the place of ours."""
    rules = "".join(
        f'[style*="fill: {light}"] {{ fill: {dark} !important }} ' for light, dark in _DARK.items()
    )
    style = f"<style>@media (prefers-color-scheme: dark) {{ {rules}}}</style>"
    begin = svg.index("<defs>")
    return svg[svg.index("<svg") : begin] + style + "\n " + svg[begin:]
