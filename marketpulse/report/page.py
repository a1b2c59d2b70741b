"""Fill a template of a page. Whatever a value holds, it stays text: Jinja2 escapes it."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

_LONGEST_CELL = 200  # characters of a value on a page


def fill(template: str, **values: object) -> str:
    """Return the page that a template makes of these values."""
    environment = Environment(
        loader=PackageLoader("marketpulse.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": _number,
        "amount": _amount,
        "cell": _cell,
        "percent": _percent,
    }
    return environment.get_template(template).render(values)


def _number(count: int | None) -> str:
    """A count with its thousands apart."""
    return "" if count is None else f"{count:,}"


def _amount(count: int, noun: str) -> str:
    """A count with its noun: `1 row`, `1,000 rows`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _percent(part: int, whole: int) -> str:
    """A share in per cent, as wide as CSS needs it."""
    return f"{100 * part / whole:.1f}" if whole else "0"


def _cell(text: str) -> str:
    """A value, cut if it is long; the page says how long it is."""
    if len(text) <= _LONGEST_CELL:
        return text
    return f"{text[:_LONGEST_CELL]} … ({len(text):,} characters)"
