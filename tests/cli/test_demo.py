"""The command `demo`."""

from support import Tool, one_message, summary_of


def test_the_tour_overwrites_no_foreign_file(tool: Tool) -> None:
    """The next tour uses changed rules. Colors that no tour wrote are not overwritten."""
    assert tool.run("demo", "tour", "--rows", "50").code == 0
    rules = tool.folder / "tour/rules.json"
    rules.write_text('{"rules": []}', encoding="utf-8")
    assert tool.run("demo", "tour", "--rows", "60").code == 0
    assert rules.read_text(encoding="utf-8") == '{"rules": []}'
    assert summary_of(tool.folder / "tour/results")["rows"]["excluded"] == 0
    (tool.folder / "tour/colors.csv").write_text("mine", encoding="utf-8")
    refused = tool.run("demo", "tour")
    assert refused.code == 2
    assert "tour/colors.csv: it would be overwritten" in one_message(refused.err)
