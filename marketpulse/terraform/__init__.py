"""The Terraform files for the function, its parameters and its bucket, and what builds its code.

`write` copies them.
"""

from __future__ import annotations

from importlib.resources import files
from os.path import lexists
from pathlib import Path

from marketpulse.atomic import writable_folder
from marketpulse.errors import OutputError

_BUILD_FILES = {"build_function.py", "Dockerfile"}


def file_names() -> list[str]:
    """The names of the files, in order."""
    names = (path.name for path in files(__name__).iterdir())
    return sorted(name for name in names if name.endswith(".tf") or name in _BUILD_FILES)


def write(folder: Path, *, force: bool = False) -> list[str]:
    """Write the files into a folder and return the names of those that changed or are new.

    Raises `OutputError` if a file is there with other content, unless `force` is given, or if they
    cannot be written.
    """
    contents = {name: files(__name__).joinpath(name).read_bytes() for name in file_names()}
    existing = {name for name in contents if lexists(folder / name)}
    same = {name for name in existing if _has_content(folder / name, contents[name])}
    changed = sorted(existing - same)
    if changed and not force:
        raise OutputError(
            f"{folder}: {', '.join(changed)} would be overwritten: their content differs from this "
            "version's",
            hint="write into another folder and compare, or overwrite them with --force",
        )
    with writable_folder(folder):
        for name in contents.keys() - same:
            (folder / name).write_bytes(contents[name])
    return sorted(contents.keys() - same)


def _has_content(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content
