"""The Terraform files of the function, its parameters and its bucket, to be written out."""

from __future__ import annotations

from importlib.resources import files
from os.path import lexists
from pathlib import Path

from marketpulse.errors import OutputError


def names() -> list[str]:
    """The files, by name."""
    ours = (path.name for path in files(__name__).iterdir())
    return sorted(name for name in ours if name.endswith(".tf") or name == "build_function.py")


def _holds(path: Path, text: bytes) -> bool:
    return path.is_file() and path.read_bytes() == text


def write(folder: Path, *, force: bool = False) -> list[str]:
    """Write the files into a folder; gives the names of those that were not there as they are.

    Raises `OutputError` where one is there with another content, unless `force` is given.
    """
    texts = {name: files(__name__).joinpath(name).read_bytes() for name in names()}
    there = {name: folder / name for name in texts if lexists(folder / name)}
    same = {name for name, path in there.items() if _holds(path, texts[name])}
    changed = sorted(set(there) - same)
    if changed and not force:
        raise OutputError(
            f"{folder}: {', '.join(changed)} would be overwritten: what is there is not what this "
            "version writes",
            hint="name another folder and compare, or overwrite with --force",
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name in texts.keys() - same:
        (folder / name).write_bytes(texts[name])
    return sorted(texts.keys() - same)
