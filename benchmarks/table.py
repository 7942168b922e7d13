"""The table, as text that is a Markdown table too."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.contestants import FLASK, GOOSEBIT, NGINX, WE

NAMES = {WE: "we", NGINX: "nginx", FLASK: "Flask dev", GOOSEBIT: "gooseBit"}
HEADINGS = ("work", *NAMES.values(), "ratio", "promised", "met?")
NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what each did, in words. `met` is None where nothing is promised."""

    work: str
    figures: dict[str, str] = field(default_factory=dict)
    ratio: str = NOTHING
    promised: str = NOTHING
    met: bool | None = None


def render(lines: Sequence[Line], notes: Sequence[str] = ()) -> str:
    """All lines under the headings, the columns aligned; what must be said beside them after."""
    cells = [HEADINGS, *map(_cells, lines)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADINGS))]
    out = [_joined(HEADINGS, widths), _rule(widths)]
    out += [_joined(row, widths) for row in cells[1:]]
    if notes:
        out += ["", *(f"- {note}" for note in notes)]
    return "\n".join(out)


def in_words(number: float) -> str:
    """Three digits that count: more would promise what a noisy machine cannot keep."""
    if number >= 1000:
        digits = len(str(int(number))) - 3
        return f"{round(number, -digits):,.0f}"
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"


def _cells(line: Line) -> tuple[str, ...]:
    met = {True: "yes", False: "NO", None: NOTHING}[line.met]
    figures = (line.figures.get(name, NOTHING) for name in NAMES)
    return (line.work, *figures, line.ratio, line.promised, met)


def _joined(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return f"| {first} | {' | '.join(rest)} |"


def _rule(widths: Sequence[int]) -> str:
    first, *rest = widths
    return f"|{'-' * (first + 2)}|" + "|".join("-" * (width + 1) + ":" for width in rest) + "|"
