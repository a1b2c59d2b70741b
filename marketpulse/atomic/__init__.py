"""Files that appear together or not at all, the lock of a folder, and temporary folders."""

from marketpulse.atomic.files import (
    FileRecord,
    FileSet,
    PartFolder,
    Seal,
    atomic_file,
    atomic_folder,
    check_file,
    check_folder_name,
    file_record,
    finish_part,
    writable_folder,
    write_file,
)
from marketpulse.atomic.lock import LOCK_FILE, folder_lock
from marketpulse.atomic.temporary import TemporaryFolder

__all__ = [
    "LOCK_FILE",
    "FileRecord",
    "FileSet",
    "PartFolder",
    "Seal",
    "TemporaryFolder",
    "atomic_file",
    "atomic_folder",
    "check_file",
    "check_folder_name",
    "file_record",
    "finish_part",
    "folder_lock",
    "writable_folder",
    "write_file",
]
