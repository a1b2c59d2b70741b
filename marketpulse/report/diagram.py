"""The diagram of foreign keys: tables as boxes, each to the right of those that it refers to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from marketpulse.model import TableSchema

_BOX_HEIGHT, _GAP = 34, 14  # pixels
_LETTER_WIDTH, _BOX_PADDING = 8, 24
_CHANNEL = 90  # between two columns of boxes, for the lines
_BEND = _CHANNEL // 2


@dataclass(frozen=True, kw_only=True)
class Box:
    """A table. `known` is false if the bundle does not describe it."""

    table: str
    known: bool
    x: int
    y: int
    width: int
    height: int = _BOX_HEIGHT

    @property
    def middle(self) -> int:
        """The height at which lines begin and end."""
        return self.y + self.height // 2


@dataclass(frozen=True, kw_only=True)
class Line:
    """A foreign key, from the table that has it to the table that it refers to."""

    start: Box
    end: Box
    label: str

    @property
    def path(self) -> str:
        """The curve, as SVG draws it: from the left of one box to the right of the other."""
        x, y = self.start.x, self.start.middle
        if self.start == self.end:  # a loop above the box
            return f"M {x + 20} {self.start.y} c 0 -16, 36 -16, 36 0"
        end_x, end_y = self.end.x + self.end.width, self.end.middle
        return f"M {x} {y} C {x - _BEND} {y}, {end_x + _BEND} {end_y}, {end_x} {end_y}"


@dataclass(frozen=True, kw_only=True)
class Diagram:
    """Boxes and lines with their places, in pixels."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: int
    height: int


def draw_foreign_keys(schemas: Sequence[TableSchema]) -> Diagram | None:
    """Lay out the tables that foreign keys connect; None if there are no foreign keys."""
    keys = [(schema.table.name, key) for schema in schemas for key in schema.foreign_keys]
    if not keys:
        return None
    targets: dict[str, set[str]] = {}
    for table, key in keys:
        targets.setdefault(table, set()).add(key.table)
        targets.setdefault(key.table, set())
    known = {schema.table.name for schema in schemas}
    boxes = _place(_columns(targets), targets, known)
    lines = tuple(
        Line(
            start=boxes[table],
            end=boxes[key.table],
            label=f"{table} ({', '.join(key.columns)}) refers to {key.table} "
            f"({', '.join(key.references)})",
        )
        for table, key in keys
    )
    return Diagram(
        boxes=tuple(boxes.values()),
        lines=lines,
        width=max(box.x + box.width for box in boxes.values()) + _GAP,
        height=max(box.y + box.height for box in boxes.values()) + _GAP,
    )


def _columns(targets: dict[str, set[str]]) -> list[list[str]]:
    """The tables in columns: each is to the right of all that it refers to, circles aside."""
    depths: dict[str, int] = {}
    for table in sorted(targets):
        # Depth first, with a stack of our own: chains may be longer than Python's.
        stack, path = [table], set[str]()
        while stack:
            current = stack[-1]
            if current in depths:
                stack.pop()
            elif current in path:
                below = [depths[target] for target in targets[current] & depths.keys()]
                depths[current] = max(below, default=-1) + 1
                stack.pop()
            else:
                path.add(current)
                stack += sorted(targets[current] - depths.keys() - path)
    columns: list[list[str]] = [[] for _ in range(max(depths.values()) + 1)]
    for table, depth in depths.items():
        columns[depth].append(table)
    return columns


def _place(
    columns: list[list[str]], targets: dict[str, set[str]], known: set[str]
) -> dict[str, Box]:
    """Give each table its box. A table is at the mean height of those that it refers to."""
    boxes: dict[str, Box] = {}
    x = _GAP
    for place, column in enumerate(columns):
        heights = {
            table: _mean(boxes[name].y for name in targets[table] & {*boxes}) for table in column
        }
        width = max(map(len, column)) * _LETTER_WIDTH + _BOX_PADDING
        # Every second column is lower, so that a line past it does not run behind its first box.
        y = _GAP + place % 2 * (_BOX_HEIGHT + _GAP)
        for table in sorted(column, key=lambda table: (heights[table], table)):
            boxes[table] = Box(table=table, known=table in known, x=x, y=y, width=width)
            y += _BOX_HEIGHT + _GAP
        x += width + _CHANNEL
    return boxes


def _mean(values: Iterable[int]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0
