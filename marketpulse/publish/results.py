"""The push that follows a command: `run-colors --push` and `sample --push`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from marketpulse.errors import AwsError, SettingsError, command_line
from marketpulse.model import NO_PROGRESS, Progress
from marketpulse.publish.options import PushOptions
from marketpulse.publish.push import push
from marketpulse.publish.receipt import Receipt


def push_results(
    folders: Sequence[Path], uri: str, options: PushOptions, progress: Progress = NO_PROGRESS
) -> Receipt:
    """Push the folders that a command just wrote. Raises what `push` raises.

    The results are on disk by now. If AWS fails, the hint has the command that pushes them later.
    """
    try:
        return push(folders, uri, options, progress=progress)
    except (AwsError, SettingsError) as error:
        command = command_line(["marketpulse", "push-s3", *map(str, folders), uri])
        place = folders[0] if len(folders) == 1 else folders[0].parent
        error.add_hint(f"the results are in {place}, upload them with `{command}`")
        raise
