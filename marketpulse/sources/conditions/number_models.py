"""Oracle's format models of numbers: 9 0 . , D G $ S MI PR FM and TM9."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from marketpulse.sources.conditions import numbers
from marketpulse.sources.conditions.tokens import ConditionError

_MODEL = re.compile(
    r"(?P<fill>FM)?(?P<sign>S)?(?P<dollar>\$)?(?P<whole>[09][09,G]*|)"
    r"(?:(?P<point>[.D])(?P<fraction>[09]*))?(?P<end>S|MI|PR)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class _Model:
    """A number's format: the places before and after the point, and where the sign goes."""

    whole: str
    point: bool
    fraction: str
    dollar: bool
    sign: str  # "", S, MI, PR or "before", which is an S at the beginning
    is_filled: bool

    @property
    def width(self) -> int:
        """How many characters a number has; more do not fit."""
        signs = 2 if self.sign == "PR" else 1  # a place for the sign is kept if there is none, too
        return len(self.whole) + self.point + len(self.fraction) + self.dollar + signs

    @property
    def places(self) -> int:
        """The digits before the point."""
        return len(self.whole.replace(",", ""))


def _parse(text: str) -> _Model:
    match = _MODEL.fullmatch(text)
    if match is None or not (match["whole"] or match["fraction"]):
        raise ConditionError(repr(text), "this format of numbers is not understood")
    if match["sign"] and match["end"]:
        raise ConditionError(repr(text), "this format has two signs")
    marks = {mark.upper() for mark in (match["whole"] + (match["point"] or ""))} - {"0", "9"}
    if marks & {"D", "G"} and marks & {".", ","}:
        raise ConditionError(repr(text), "D and G do not stand beside . and ,")
    return _Model(
        whole=match["whole"].upper().replace("G", ","),
        point=match["point"] is not None,
        fraction=match["fraction"] or "",
        dollar=match["dollar"] is not None,
        sign="before" if match["sign"] else (match["end"] or "").upper(),
        is_filled=match["fill"] is None,
    )


# -- TO_CHAR ---------------------------------------------------------------------------------------


def number_writer(text: str) -> Callable[[Decimal], str]:
    """Return a function that writes numbers in this format model. Raises `ConditionError`."""
    if text.upper() in {"TM", "TM9"}:
        return numbers.format_number
    model = _parse(text)
    return lambda value: _write(value, model)


def _write(value: Decimal, model: _Model) -> str:
    if not value.is_finite():
        raise ConditionError(str(value), "it has no text in a format")
    rounded = numbers.round_half_up(value, Decimal(len(model.fraction))).copy_abs()
    if value < 0 and not rounded:
        raise ConditionError(
            str(value), "it is rounded to zero, and the sign of its text is not certain"
        )
    whole, _, fraction = format(rounded, "f").partition(".")
    whole = whole.lstrip("0")  # 9.99 writes 0.5 as .50; only a 0 in the format asks for the zero
    if len(whole) > model.places:
        return "#" * model.width
    body = _write_whole(whole, model)
    if model.point:
        body += "." + (fraction if model.is_filled else _without_zeros(fraction, model.fraction))
    elif not body:
        body = "0"
    return _write_sign(body, is_negative=value < 0, model=model)


def _write_whole(digits: str, model: _Model) -> str:
    """Write the digits before the point, with the zeros and commas that the format asks for."""
    places = model.whole.replace(",", "")
    first_zero = places.find("0")
    shown = max(len(digits), len(places) - first_zero if first_zero >= 0 else 0)
    padded = digits.rjust(shown, "0")
    text, left = "", len(places)
    for mark in model.whole:
        if mark == ",":
            text += "," if text else ""
            continue
        if left <= shown:
            text += padded[shown - left]
        left -= 1
    return text


def _without_zeros(fraction: str, places: str) -> str:
    """Drop the zeros at the end that stand for a 9."""
    fewest = places.rfind("0") + 1
    return fraction[:fewest] + fraction[fewest:].rstrip("0")


def _write_sign(body: str, *, is_negative: bool, model: _Model) -> str:
    body = f"${body}" if model.dollar else body
    minus = "-" if is_negative else ""
    match model.sign:
        case "":
            text = minus + body if minus or not model.is_filled else f" {body}"
        case "before":
            text = (minus or "+") + body
        case "S":
            text = body + (minus or "+")
        case "MI":
            text = body + (minus or (" " if model.is_filled else ""))
        case _:
            blank = " " if model.is_filled else ""
            text = f"<{body}>" if is_negative else blank + body + blank
    return text.rjust(model.width) if model.is_filled else text


# -- TO_NUMBER -------------------------------------------------------------------------------------


def number_reader(text: str) -> Callable[[str], Decimal]:
    """Return a function that reads texts in this format model. Raises `ConditionError`."""
    model = _parse(text)
    if "0" in model.whole + model.fraction:
        raise ConditionError(repr(text), "numbers are read by 9 alone")
    pattern = re.compile(_reading_pattern(model), re.ASCII)

    def read(cell: str) -> Decimal:
        match = pattern.fullmatch(cell.strip(" "))
        if match is None or not any(mark.isdigit() for mark in cell):
            raise ConditionError(repr(cell), f"it is not a number in the format {text!r}")
        value = Decimal(match["number"].replace(",", ""))
        is_negative = "-" in cell or cell.strip(" ").startswith("<")
        return value.copy_negate() if is_negative else value

    return read


def _reading_pattern(model: _Model) -> str:
    """Return the regular expression of texts in this format: commas stand where it has them."""
    groups = model.whole.split(",")
    whole = ""
    for place, group in enumerate(groups):
        rest = "".join(rf",\d{{{len(later)}}}" for later in groups[place + 1 :])
        if group:
            whole += f"|\\d{{1,{len(group)}}}{rest}"
    number = f"(?:{whole.removeprefix('|')}|)"
    if model.point:
        number += rf"(?:\.\d{{0,{len(model.fraction)}}})?"
    number = ("\\$" if model.dollar else "") + f"(?P<number>{number})"
    match model.sign:
        case "":
            return f"-?{number}"
        case "before":
            return f"[+-]{number}"
        case "S":
            return f"{number}[+-]"
        case "MI":
            return f"{number}-?"
        case _:  # PR: a negative number is in <>, and both or none are there
            return f"(?P<open><)?{number}(?(open)>)"
