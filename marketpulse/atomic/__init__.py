"""Files that appear together or not at all, and the lock that lets one run write at a time."""

from marketpulse.atomic.files import (
    FileRecord,
    FileSet,
    PartFolder,
    Seal,
    atomic_file,
    atomic_folder,
    check_file,
    finish_part,
    write_file,
)
from marketpulse.atomic.lock import LOCK_FILE, folder_lock

__all__ = [
    "LOCK_FILE",
    "FileRecord",
    "FileSet",
    "PartFolder",
    "Seal",
    "atomic_file",
    "atomic_folder",
    "check_file",
    "finish_part",
    "folder_lock",
    "write_file",
]
