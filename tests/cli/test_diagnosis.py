"""The commands `config` and `doctor`."""

import json

from support import (
    COLORS,
    RULES,
    Tool,
)


def test_config_shows_origins_and_overridden_places(tool: Tool) -> None:
    """`config` names the place of each setting, and the places that it overrides."""
    (tool.folder / ".env").write_text("ORACLE_HOST=from-file\nORACLE_PORT=1522\n", encoding="utf-8")
    tool.env |= {"ORACLE_HOST": "from-environment"}
    text = tool.run("config")
    as_json = tool.run("config", "--format", "json")

    assert (text.code, as_json.code, text.err, as_json.err) == (0, 0, "", "")
    settings = {setting["name"]: setting for setting in json.loads(as_json.out)}
    assert settings["ORACLE_HOST"] == {
        "name": "ORACLE_HOST",
        "value": "from-environment",
        "from": "environment",
        "also": [".env"],
    }
    assert (settings["ORACLE_PORT"]["value"], settings["ORACLE_PORT"]["from"]) == ("1522", ".env")
    assert settings["APP_PREFIX"]["from"] == "default"
    (line,) = (line for line in text.out.splitlines() if line.startswith("ORACLE_HOST"))
    assert line.split() == ["ORACLE_HOST", "from-environment", "environment", ".env"]


def test_secrets_are_never_printed_or_written(tool: Tool) -> None:
    """No user name and no password appears in any output, message or file."""
    secrets = {"ORACLE_PASSWORD": "0pen-Sesame-11", "ORACLE_USERNAME": "ALI_BABA_40"}
    in_file = {"ORACLE_PASSWORD": "0pen-Barley-22", "ORACLE_USERNAME": "KASSIM_41"}
    tool.env |= secrets
    dotenv = tool.folder / ".env"
    dotenv.write_text(
        "\n".join(f"{name}={value}" for name, value in in_file.items()), encoding="utf-8"
    )
    wrong_port = {**tool.env, "ORACLE_PORT": "0pen-Sesame-11"}
    results = [
        tool.run("config"),
        tool.run_process("-v", "-v", "config", "--format", "json"),
        tool.run("config", env=wrong_port),
        tool.run_process("-v", "-v", "config", "--format", "json", env=wrong_port),
        tool.run_process("-v", "-v", "run-colors", env=wrong_port),
        tool.run_process("-v", "-v", "run-colors", COLORS, "--rules", RULES, "--output", "out"),
        tool.run_process("-v", "-v", "run-colors"),
        tool.run_process("-v", "rules", "test", "nowhere.csv", "--rules", RULES),
    ]

    assert [result.code for result in results] == [0, 0, 3, 3, 3, 0, 3, 6]
    printed = "".join(result.out + result.err for result in results)
    files = [path for path in tool.folder.rglob("*") if path.is_file() and path != dotenv]
    written = "".join(path.read_text(encoding="utf-8") for path in files)
    assert "run_summary.json" in {path.name for path in files}
    for secret in (*secrets.values(), *in_file.values()):
        assert secret not in printed
        assert secret not in written
    assert "********" in printed
    assert "error: ORACLE_PORT (environment): " in printed
