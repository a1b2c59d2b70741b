"""The documentation: each command runs, each JSON example matches, each name exists."""

import ast
import csv
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from oracle_server.engine import DuckEngine
from oracle_server.market import market
from oracle_server.server import OracleServer
from support import DAY, ROOT, Result, run_here

from marketpulse import errors
from marketpulse.aws.parameters import PARAMETERS, SECRET_NAMES
from marketpulse.cli.app import app
from marketpulse.settings.load import Settings, load_settings, parameter_path

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
GUIDES = {"QUICK_START.md", "ORACLE_EXTRACTION_INSTRUCTIONS.md"}
README_SAMPLE = ["sample", "COLORS_TABLE", "--zip"]
HISTORY = ("history/date=2026-03-12/colors.csv", "history/date=2026-03-13/colors.csv")
EXIT_CODES = (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, the arguments after the language, its text."""

    page: Path
    language: str
    words: str
    text: str


def blocks(*languages: str) -> Iterator[Block]:
    """All fenced blocks in these languages."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in re.finditer(r"^```(\w+)([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            if found[1] in languages:
                yield Block(page, found[1], found[2].strip(), found[3])


def lines_of(block: Block) -> Iterator[tuple[str, int, str]]:
    """Each command of a block with the exit code and the output that the page shows."""
    if block.language == "sh":
        for line in block.text.splitlines():
            yield line, 0, ""
        return
    for found in re.finditer(
        r"^\$ ([^\n]*)\n(.*?)(?=^\$ |\Z)", block.text, re.MULTILINE | re.DOTALL
    ):
        command, _, code = found[1].partition("  # exit ")
        yield command, int(code or 0), found[2]


MARK = "-- end of the cell --"

# Commands run in any order: what others read of the bundle in S3 is pushed before all of them.
SENT, PUSHED = "s3://desk-colors/bundle/", "s3://desk-colors/pushed/"

# A command on several pages runs once.
SHOWN = dict.fromkeys(
    (block.page.name in GUIDES, command, code, output)
    for block in blocks("sh", "console")
    for command, code, output in lines_of(block)
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file that the pages mention."""
    folder = tmp_path_factory.mktemp("desk")
    text = (DAY / "colors_day.csv").read_text(encoding="utf-8")
    for name in (
        "colors_day.csv",
        "monday.csv",
        "tuesday.csv",
        "days/one.csv",
        "days/two.csv",
        *HISTORY,
    ):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(text, encoding="utf-8", newline="")
    header, _, rest = text.partition("\n")
    renamed = header.replace(",PX,", ",MID_PRICE,").replace(",DATE,", ",CREATED_DATE,")
    (folder / "mids.csv").write_text(f"{renamed}\n{rest}", encoding="utf-8", newline="")
    (folder / "rules.json").write_bytes((DAY / "rules.json").read_bytes())
    (folder / "key.txt").write_text("mask_key=0123456789-0123456789\n")
    (folder / "parameters.txt").write_text(
        "".join(f"{name}=1521\n" for name in PARAMETERS), encoding="utf-8"
    )
    (folder / "rules.toml").write_text(
        '[[rules]]\nid = 1\nname = "No valuations"\nis_active = true\n[[rules.conditions]]\n'
        'type = "where"\ncolumn = "BIAS"\noperator = "equals"\nvalue = "VALUATION"\n',
        encoding="utf-8",
    )
    (folder / "night_rules.json").write_text(
        '[{"id": 9, "name": "No talk", "is_active": true, "conditions": [{"type": "where", '
        '"column": "BIAS", "operator": "equals", "value": "BWIC TALK"}]}]',
        encoding="utf-8",
    )
    ranked = ["run-colors", "colors_day.csv", "--rules", "rules.json", "--output", "friday"]
    assert run([*ranked, "--processed-at", "2026-03-13T18:00:00Z"], folder).code == 0
    demo = ("--source", "demo", "--taken-at", "2026-03-13T18:00:00Z")
    for words in (
        ["COLORS", "DEALERS", "--zip"],
        ["COLORS", "--output", "to_send"],
        ["DEALERS", "--output", "friday_bundle", "--formats", "csv"],
        ["COLORS", "--mask", "NOTE=redact", "--output", "masked"],
    ):
        assert run(["sample", *words, *demo], folder).code == 0
    return folder


@pytest.fixture(scope="module")
def store(desk: Path) -> Iterator[dict[str, str]]:
    """The variables of a local AWS with the bucket, the bundle and the parameters of the pages."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # All moto servers of a process share their state: an earlier test may have filled it.
    for method, path in (("POST", "/moto-api/reset"), ("PUT", "/desk-colors")):
        connection = HTTPConnection(host, port)
        connection.request(method, path)
        assert connection.getresponse().status == 200
        connection.close()
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    ssm = boto3.client("ssm", endpoint_url=f"http://{host}:{port}", region_name="us-east-1", **keys)
    path = parameter_path(load_settings({}, {}, None))
    for name in PARAMETERS:
        kind = "SecureString" if name in SECRET_NAMES else "String"
        ssm.put_parameter(Name=path + name, Value="1521", Type=kind)
    ssm.close()
    environment = {
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    assert run(["push-s3", "friday_bundle", PUSHED], desk, **environment).code == 0
    yield environment
    server.stop()


def run(words: list[str], folder: Path, **more: str) -> Result:
    """Run marketpulse without the settings of this machine; in a process if it has an input."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP") if name in os.environ}
    env = kept | {"HOME": str(folder), "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT)} | more
    if words[-2:-1] != ["<"]:
        return run_here(words, folder, env)
    done = subprocess.run(
        [sys.executable, "-m", "marketpulse", *words[:-2]],
        cwd=folder,
        env=env,
        input=(folder / words[-1]).read_text(encoding="utf-8"),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def database() -> Iterator[dict[str, str]]:
    """The settings of a database with the tables of the pages."""
    with OracleServer(DuckEngine(market(rows=50)), users={"ANALYST": "not-shown-88"}) as server:
        yield {
            "ORACLE_HOST": server.host,
            "ORACLE_PORT": str(server.port),
            "ORACLE_SERVICE_NAME": server.service,
            "ORACLE_USERNAME": "analyst",
            "ORACLE_PASSWORD": "not-shown-88",
            "ORACLE_SCHEMA": "MARKET",
            "ORACLE_TABLE_NAME": "COLORS_TABLE",
            "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
            "AWS_ENDPOINT_URL_SSM": "http://127.0.0.1:9",
        }


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, database: dict[str, str]) -> Path:
    """The folder of an analyst, with a bundle in it."""
    folder = tmp_path_factory.mktemp("office")
    words = ["sample", "COLORS_TABLE", "--zip", "--taken-at", "2026-03-13T18:00:00Z"]
    assert run(words, folder, **database).code == 0
    return folder


@pytest.mark.parametrize(
    ("in_a_guide", "command", "code", "output"),
    [pytest.param(*shown, id=shown[1][:60]) for shown in SHOWN],
)
def test_every_command_works(
    in_a_guide: bool,
    command: str,
    code: int,
    output: str,
    desk: Path,
    office: Path,
    store: dict[str, str],
    database: dict[str, str],
) -> None:
    """A command prints what the page shows, word for word."""
    program, *words = shlex.split(command)
    if program == "./setup_extraction.sh":
        assert words in (["demo"], ["test"])
        assert (ROOT / program).is_file()
        return
    assert program == "marketpulse"
    if words[:2] in (["verify", SENT], ["report", SENT]):
        words[1] = PUSHED
    about_oracle = in_a_guide or words[0] == "doctor" or words[-3:] == README_SAMPLE
    there = {"AWS_ENDPOINT_URL_SSM": store["AWS_ENDPOINT_URL_S3"]} if words[0] == "ssm" else {}
    done = run(words, office if about_oracle else desk, **(store | database | there))
    assert done.code == code, done.err
    if output:
        shown = done.err if code else done.out
        assert [line.rstrip() for line in shown.splitlines()] == output.splitlines()


@pytest.mark.parametrize("block", list(blocks("json")), ids=lambda block: block.words[:40])
def test_every_shape_is_as_shown(block: Block, desk: Path, store: dict[str, str]) -> None:
    """The JSON on a page has the keys, the order and the types of the real output."""
    shown = json.loads(block.text)
    if not block.words:
        assert set(shown) == {"rules"}
        return
    there = {}
    if block.words.startswith("ssm"):
        there = {**store, "AWS_ENDPOINT_URL_SSM": store["AWS_ENDPOINT_URL_S3"]}
    done = run(shlex.split(block.words), desk, **there)
    code = 0
    if isinstance(shown, dict):
        code = 7 if shown.get("equal") is False else shown.get("exit_code", 0)
    assert done.code == code, done.err
    printed = json.loads(done.out)
    assert_same_shape(shown, printed)
    if "output" in shown and "written" not in shown:
        seal = "run_summary.json" if "run_id" in shown else "manifest.json"
        written = json.loads((desk / shown["output"] / seal).read_text("utf-8"))
        assert {**printed, **written} == printed


def assert_same_shape(shown: Any, printed: Any) -> None:
    """Compare JSON of a page with the real output; the page may show fewer items of a list."""
    assert type(shown) is type(printed)
    if isinstance(shown, list):
        for element in shown:
            assert any(_same(element, other) for other in printed), element
    elif isinstance(shown, dict):
        values = (*shown.values(), *printed.values())
        counted = all(isinstance(value, int | str | None) for value in values)
        if set(shown) <= set(printed) and counted:
            return  # counts by name: the page may show some
        assert list(shown) == list(printed)
        for name, value in shown.items():
            assert_same_shape(value, printed[name])
    elif shown is not None and not _free(shown):
        assert shown == printed


def _same(shown: Any, printed: Any) -> bool:
    try:
        assert_same_shape(shown, printed)
    except AssertionError:
        return False
    return True


def _free(shown: Any) -> bool:
    """Whether a value differs between runs or releases."""
    if isinstance(shown, float):  # seconds
        return True
    return isinstance(shown, str) and bool(re.fullmatch(r"…|[0-9a-f]{16}|\d+\.\d+\.\d+", shown))


@pytest.mark.parametrize(("page", "output"), [("README.md", "read=2003"), ("formats.md", "int64")])
def test_the_python_of_the_pages_runs(page: str, output: str, desk: Path) -> None:
    """The Python examples run and print their result."""
    (example,) = (block.text for block in blocks("python") if block.page.name == page)
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=desk,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert output in done.stdout


def test_the_notebook_prints_what_it_shows(tmp_path: Path) -> None:
    """Each cell of first_look.md prints the text below it; the cells run one after the other."""
    made = ["sample", "COLORS", "DEALERS", "--source", "demo"]
    assert run(made, tmp_path).code == 0
    page = (ROOT / "docs/first_look.md").read_text(encoding="utf-8")
    cells = re.findall(r"```python\n(.*?)```\n+```text\n(.*?)```", page, re.DOTALL)
    assert len(cells) == page.count("```python")
    script = "\n".join(f"{code}\nprint({MARK!r})" for code, _ in cells)

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.split(f"{MARK}\n") == [*(text for _, text in cells), ""]
    assert (tmp_path / "security.html").is_file()


def command_names() -> list[str]:
    """The full name of every command: `run-colors`, `rules check`."""
    names = [str(command.name) for command in app.registered_commands]
    for group in app.registered_groups:
        assert group.typer_instance is not None
        names += [f"{group.name} {info.name}" for info in group.typer_instance.registered_commands]
    return names


@pytest.mark.parametrize("name", command_names())
def test_every_command_and_option_is_documented(name: str) -> None:
    """commands.md has a section for each command, and each of its options is in the page."""
    assert f"\n## {name}\n" in COMMANDS
    shown = run([*name.split(), "--help"], ROOT).out
    for option in set(re.findall(r"--[a-z][a-z-]+", shown)) - {"--help"}:
        assert f"`{option}" in COMMANDS, option


def test_every_documented_option_exists() -> None:
    """commands.md mentions no option that does not exist."""
    helped = "".join(run([*name.split(), "--help"], ROOT).out for name in command_names())
    helped += run(["--help"], ROOT).out
    for option in re.findall(r"--[a-z][a-z-]+", COMMANDS):
        assert option in helped, option


def test_every_exit_code_is_documented() -> None:
    """The table has the exit code of each error class, and no others."""
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    used = {error.exit_code for error in classes if issubclass(error, errors.MarketPulseError)}
    rows = {int(code) for code in re.findall(r"^\| (\d+) \|", EXIT_CODES, re.MULTILINE)}
    assert rows == used | {0, 9, 129, 130, 143}


def test_every_check_is_documented() -> None:
    """The table of checks has each id of the code once, and no others."""
    sources = (ROOT / "marketpulse").rglob("*.py")
    used = {
        check for path in sources for check in re.findall(r"MP-[A-Z]+-\d+", path.read_text("utf-8"))
    }
    listed = re.findall(r"^\| (MP-[A-Z]+-\d+) \|", EXIT_CODES, re.MULTILINE)
    assert sorted(listed) == sorted(used)


def texts_of_the_code() -> list[str]:
    """Every string of the package; a value that is filled in is an ellipsis."""
    texts = []
    for path in (ROOT / "marketpulse").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (
                    part.value if isinstance(part, ast.Constant) else "..." for part in node.values
                )
                texts.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return texts


def test_every_quoted_message_exists() -> None:
    """The table of the extraction guide quotes messages as the code has them."""
    guide = (ROOT / "docs" / "ORACLE_EXTRACTION_INSTRUCTIONS.md").read_text(encoding="utf-8")
    rows = [line for line in guide.splitlines() if line.startswith("| ") and "(MP-" in line]
    assert len(rows) > 10
    texts = texts_of_the_code()
    for row in rows:
        for message in re.findall("`([^`]+)`", row.split(" | ")[0]):
            parts = [part.strip() for part in message.split("...") if part.strip()]
            for part in parts:
                assert any(part in text for text in texts), message


def test_every_setting_is_documented() -> None:
    """commands.md has each setting; .env.example has those of the database."""
    names = {str(info.validation_alias) for info in Settings.model_fields.values()}
    assert {name for name in names if f"`{name}`" not in COMMANDS} == set()
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    offered = set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))
    assert offered == {name for name in names if name.startswith(("ORACLE_", "TNS_"))}


def test_every_link_leads_somewhere() -> None:
    """A relative link of a page points to a file of the repository."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            assert "://" in target or (page.parent / target).exists(), (page.name, target)


def test_the_batch_file_is_named_for_windows() -> None:
    """The README has the set-up command for Windows."""
    assert "`setup_extraction.bat demo`" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert (ROOT / "setup_extraction.bat").is_file()


def test_the_columns_of_processed_colors_are_documented(desk: Path) -> None:
    """formats.md lists the columns that a run adds, in their order."""
    done = run(["run-colors", "colors_day.csv", "--output", "columns"], desk)
    assert done.code == 0
    with (desk / "columns" / "processed_colors.csv").open(encoding="utf-8", newline="") as file:
        added = next(csv.reader(file))[20:]
    formats = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([A-Z_]+)` \|", formats, re.MULTILINE) == added
