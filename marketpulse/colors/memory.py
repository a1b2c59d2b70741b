"""The size of `--memory-limit`."""

from __future__ import annotations

import re

from marketpulse.errors import UsageError


def parse_memory_limit(text: str) -> int:
    """The bytes of a size: `2GB` is 2·10⁹, `2GiB` is 2·2³⁰, in any case. Raises `UsageError`.

    The units are those of pydantic's `ByteSize`. A unit is required: `2` would be two bytes.
    """
    from pydantic import (  # noqa: PLC0415 - takes 0.05 s, and few runs have a limit
        ByteSize,
        TypeAdapter,
        ValidationError,
    )

    # ByteSize ignores what follows the unit.
    if re.fullmatch(r"\s*[0-9]*\.?[0-9]+\s*[A-Za-z]+\s*", text):
        try:
            size = int(TypeAdapter(ByteSize).validate_python(text))
        except ValidationError:
            size = 0
        if size > 0:
            return size
    raise UsageError(f"--memory-limit: {text!r} is not a size", hint="for instance 2GB or 512MiB")
