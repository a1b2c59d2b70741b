"""The commands `push-s3`, `ssm` and `terraform`: their arguments. tests/publish has the rest."""

import json

import pytest
from support import Tool, one_message

from marketpulse.terraform import file_names


def test_push_needs_a_path_and_a_target(tool: Tool) -> None:
    """Without a PATH or without the S3URI the message shows an example."""
    for words in ((), ("results",)):
        refused = tool.run("push-s3", *words)
        assert (refused.code, refused.out) == (2, "")
        assert "marketpulse push-s3 processed_colors s3://" in one_message(refused.err)


@pytest.mark.parametrize("target", ["results", "s3://", "s3://b/../c", "https://bucket/prefix"])
def test_a_wrong_target_stops_before_the_run(tool: Tool, target: str) -> None:
    """--push is checked before any row is read."""
    refused = tool.run("run-colors", "no-such-file.csv", "--push", target)

    assert refused.code == 2
    assert target in one_message(refused.err)


def test_a_value_on_the_command_line_is_not_repeated(tool: Tool) -> None:
    """`ssm put password=...` is refused. The message repeats the name, never the value."""
    refused = tool.run("ssm", "put", "pasword=0pen-Sesame-11")

    assert refused.code == 2
    assert "'pasword'" in one_message(refused.err)
    assert "Sesame" not in refused.err


def test_terraform_counts_new_files(tool: Tool) -> None:
    """The first call writes all files, the second none; JSON lists both."""
    first, second = (tool.run("terraform", "infra", "--format", "json") for _ in range(2))

    assert (first.code, second.code) == (0, 0)
    assert json.loads(first.out) == {
        "output": "infra",
        "files": file_names(),
        "written": file_names(),
    }
    assert json.loads(second.out)["written"] == []
