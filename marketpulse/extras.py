"""The optional parts of an installation: the extras of pyproject.toml, and what each needs."""

from __future__ import annotations

import json
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from marketpulse.errors import UsageError, command_line

Extra = Literal["aws", "keyring", "lambda", "pandas", "report", "spark", "xlsx"]

LIBRARIES: dict[Extra, tuple[str, ...]] = {
    "aws": ("boto3",),
    "keyring": ("keyring",),
    "lambda": ("boto3", "fastapi", "mangum"),
    "pandas": ("pandas",),
    "report": ("vl_convert",),
    "spark": ("pyspark", "pandas"),
    "xlsx": ("openpyxl", "xlsxwriter"),
}


class MissingExtraError(UsageError):
    """A command needs a part of MarketPulse that is not installed."""

    check = "MP-USE-005"


def has_extra(extra: Extra) -> bool:
    """Return whether all libraries of an extra are installed; loads none of them."""
    return not _missing_libraries(extra)


def require_extra(extra: Extra, purpose: str, *, instead: str = "") -> None:
    """Raise `MissingExtraError` if an extra is not installed.

    `purpose` begins the message: what needs the extra. `instead` says how to do without it.
    """
    missing = _missing_libraries(extra)
    if missing:
        raise MissingExtraError(
            f"{purpose} needs the extra '{extra}', which is not installed "
            f"(there is no {missing[0]})",
            hint=f"run: {install_command(extra)}" + (f"; or {instead}" if instead else ""),
        )


def install_command(extra: Extra, prefix: Path | None = None) -> str:
    """Return the command that adds an extra to this installation.

    It is one of the tool that made the installation: pip, pipx or uv. `prefix` is the folder of
    the installation. uv and pipx install anew, so the command names the extras that are there.
    """
    prefix = prefix or Path(sys.prefix)
    extras = ",".join(sorted({extra, *filter(has_extra, LIBRARIES)}))
    if (prefix / "uv-receipt.toml").is_file():
        return command_line(["uv", "tool", "install", "--force", f"{_origin()}[{extras}]"])
    if (prefix / "pipx_metadata.json").is_file():
        return command_line(["pipx", "install", "--force", f"{_origin()}[{extras}]"])
    if not _is_installed("pip"):
        words = ["uv", "pip", "install", "--python", sys.executable]
    else:
        words = [sys.executable, "-m", "pip", "install"]
    return command_line([*words, f"{_origin()}[{extra}]"])


def _missing_libraries(extra: Extra) -> list[str]:
    return [library for library in LIBRARIES[extra] if not _is_installed(library)]


def _is_installed(library: str) -> bool:
    # Not importlib.util.find_spec: the command line hides pandas from it.
    if library in sys.modules:
        return sys.modules[library] is not None
    return PathFinder.find_spec(library) is not None


def _origin() -> str:
    """Return what MarketPulse was installed from, a folder or a wheel, else its name."""
    # Both take 30 ms to load.
    from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415 - see above
    from urllib.request import url2pathname  # noqa: PLC0415 - see above

    try:
        text = distribution("marketpulse").read_text("direct_url.json")
    except PackageNotFoundError:
        text = None
    url = urlsplit(json.loads(text)["url"] if text else "")
    path = url2pathname(url.path) if url.scheme == "file" else ""
    return path if path and Path(path).exists() else "marketpulse"
