"""The public names of the package."""

import subprocess
import sys

import pytest
from support import COLORS, RULES

import marketpulse


def test_dir_shows_the_public_names() -> None:
    """`dir` lists what the documentation names, and each name can be imported."""
    assert dir(marketpulse) == sorted(marketpulse.__all__)
    for name in marketpulse.__all__:
        assert getattr(marketpulse, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'run_color'"):
        _ = marketpulse.run_color


def test_importing_the_package_loads_no_library() -> None:
    """`import marketpulse` is quick: libraries load with the first use of a name."""
    code = (
        "import sys, marketpulse; dir(marketpulse); "
        "print({'pyarrow', 'duckdb', 'typer'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_explain_takes_the_options_of_a_run() -> None:
    """`marketpulse.explain` gives the rows of a security as `run_colors` ranks them."""
    explanation = marketpulse.explain(COLORS, " 4o4sp5bi0 ", rules=RULES)
    assert explanation.cusip == "4O4SP5BI0"
    run = marketpulse.run_colors(COLORS, rules=RULES)
    assert run.processed is not None
    ranked = [row.cells["MESSAGE_ID"] for row in explanation.rows if row.position]
    processed = run.processed.to_pandas().query("CUSIP == '4O4SP5BI0'")
    assert ranked == list(processed["MESSAGE_ID"])
    with pytest.raises(marketpulse.MarketPulseError, match="the CUSIP is int, not text"):
        marketpulse.explain(COLORS, 404, rules=RULES)  # type: ignore[arg-type] # wrong on purpose
