"""Measure one property of colors at a time, against other libraries, and draw the curve over ties.

    PYTHONPATH=tests python -m benchmarks.sweep --rows 1000000 --runs 5

Prints a table in Markdown and writes docs/ties.svg. The figure is processor time, the least of all
runs; the libraries take turns.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.colors import Colors

ROOT = Path(__file__).parents[2]
TIES = (0.0, 0.25, 0.5, 0.75, 0.95)
SWEEP: dict[str, dict[str, object]] = {
    **{f"ties {share:.0%}": {"ties": share} for share in TIES},
    "few securities have most rows": {"tail": 4.0},
    "a quarter of the cells empty": {"nulls": 0.25},
    "every second CUSIP in lower case or with blanks": {"lower": 0.5},
    "prices in several spellings": {"spelling": "zeros", "spelled": 0.5},
    "blanks around prices": {"spelling": "blanks", "spelled": 0.5},
    "exponents": {"spelling": "exponent", "spelled": 0.5},
    "40 digits, 1 % of prices": {"spelling": "digits", "spelled": 0.01},
    "40 digits, every price": {"spelling": "digits", "spelled": 1.0},
    "dates with a time and `Z`": {"date": "zulu"},
    "dates with an offset": {"date": "offset"},
}
LIBRARIES = ("run-colors", "duckdb", "windows", "polars", "pandas")
COLORS = ("#1f6f5c", "#b8860b", "#a0522d", "#4169a1", "#777777")


def processor_time(library: str, source: Path, target: Path) -> float:
    """The processor time of a whole process that ranks a file, in seconds."""
    command = [sys.executable, "-m"]
    if library == "run-colors":
        command += ["marketpulse", "--quiet", "run-colors", str(source), "--output", str(target)]
        command += ["--formats", source.suffix[1:]]
    else:
        command += [
            "benchmarks.peers",
            library,
            str(source),
            str(target / f"peer{source.suffix}"),
        ]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_utime + usage.ru_stime


def measure(colors: Colors, libraries: Sequence[str], runs: int, folder: Path) -> dict[str, float]:
    """The least processor time of each library on these colors."""
    source = folder / "colors.csv"
    colors.write(source)
    times: dict[str, list[float]] = {library: [] for library in libraries}
    for _ in range(runs):
        for library in libraries:
            times[library].append(processor_time(library, source, folder))
    return {library: min(seconds) for library, seconds in times.items()}


def draw(curves: dict[str, list[float]]) -> str:
    """An SVG of processor time over the share of ties."""
    width, height, left, top = 640, 340, 60, 30
    highest = max(max(curve) for curve in curves.values())
    x = [left + share * (width - left - 130) for share in TIES]

    def y(seconds: float) -> float:
        return top + (height - top - 50) * (1 - seconds / highest)

    box = f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{left}" y="18">seconds of processor time</text>',
        f'<text x="{left}" y="{height - 10}">share of rows that tie with another</text>',
    ]
    for share, place in zip(TIES, x, strict=True):
        parts.append(
            f'<text x="{place:.0f}" y="{height - 30}" text-anchor="middle">{share:.0%}</text>'
        )
    for tick in range(5):
        seconds = highest * tick / 4
        level = f"{y(seconds):.0f}"
        parts.append(
            f'<line x1="{left}" x2="{x[-1]:.0f}" y1="{level}" y2="{level}" stroke="#ddd"/>'
        )
        parts.append(f'<text x="{left - 8}" y="{level}" text-anchor="end">{seconds:.1f}</text>')
    for (library, curve), color in zip(curves.items(), COLORS, strict=False):
        points = " ".join(f"{a:.0f},{y(b):.0f}" for a, b in zip(x, curve, strict=True))
        line = f'fill="none" stroke="{color}" stroke-width="2"'
        label = f'x="{x[-1] + 8:.0f}" y="{y(curve[-1]) + 4:.0f}" fill="{color}"'
        parts.append(f'<polyline points="{points}" {line}/>')
        parts.append(f"<text {label}>{library}</text>")
    return "\n".join([*parts, "</svg>\n"])


def main() -> None:
    """Measure, print the table, draw the curve."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--libraries", nargs="+", default=list(LIBRARIES), choices=LIBRARIES)
    options = parser.parse_args()
    curves: dict[str, list[float]] = {library: [] for library in options.libraries}
    print("| colors |", " | ".join(options.libraries), "| run-colors / duckdb |")
    print("|" + " --- |" * (len(options.libraries) + 2))
    with tempfile.TemporaryDirectory() as folder:
        for name, properties in SWEEP.items():
            colors = replace(Colors(rows=options.rows), **properties)  # type: ignore[arg-type] # a value for each field
            times = measure(colors, options.libraries, options.runs, Path(folder))
            cells = [f"{times[library]:.1f}" for library in options.libraries]
            ratio = times["run-colors"] / times["duckdb"]
            print(f"| {name} | {' | '.join(cells)} | {ratio:.2f} |", flush=True)
            if name.startswith("ties"):
                for library, seconds in times.items():
                    curves[library].append(seconds)
    (ROOT / "docs" / "ties.svg").write_text(draw(curves), encoding="utf-8")


if __name__ == "__main__":
    main()
