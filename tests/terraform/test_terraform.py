"""The Terraform files: they parse, agree with the code, and hold no secrets."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import hcl2
import pytest
from support import AWS_KEYS, ROOT, Tool

from marketpulse import terraform
from marketpulse.aws.parameters import PARAMETERS, SECRET_NAMES
from marketpulse.function import events as aws_lambda
from marketpulse.settings.load import Settings, load_settings, parameter_path

FILES = ROOT / "marketpulse/terraform"
TEXT = {path.name: path.read_text(encoding="utf-8") for path in sorted(FILES.glob("*.tf"))}


def plain(node: Any) -> Any:
    """A parsed file without the quotes that the parser leaves around names."""
    if isinstance(node, dict):
        return {str(plain(name)): plain(value) for name, value in node.items()}
    if isinstance(node, list):
        return [plain(item) for item in node]
    return node.strip('"') if isinstance(node, str) else node


PARSED = {name: plain(hcl2.loads(text)) for name, text in TEXT.items()}


def resources(kind: str) -> dict[str, Any]:
    """The resources of a kind, by name."""
    return {
        name: body
        for file in PARSED.values()
        for block in file.get("resource", ())
        for found, named in block.items()
        if found == kind
        for name, body in named.items()
    }


def statements() -> list[dict[str, Any]]:
    """The permissions of the function and the schedule."""
    documents = {
        name: body
        for block in PARSED["iam.tf"]["data"]
        for named in block.values()
        for name, body in named.items()
    }
    return [*documents["function"]["statement"], *documents["schedule"]["statement"]]


def local(name: str) -> Any:
    """The value of a local."""
    return next(
        block[name] for file in PARSED.values() for block in file.get("locals", ()) if name in block
    )


def test_the_parameters_are_those_of_the_code() -> None:
    """Names, secrets and path agree with the code; Terraform ignores later values."""
    parameter = resources("aws_ssm_parameter")["oracle"]

    assert local("parameters") == [*PARAMETERS]
    assert set(local("encrypted")) == SECRET_NAMES
    settings = load_settings({}, {}, None)
    filled = local("parameter_path")
    for name in ("app_prefix", "env", "app_name"):
        variable = next(
            variable[name] for variable in PARSED["variables.tf"]["variable"] if name in variable
        )
        assert variable["default"] == getattr(settings, name)
        filled = filled.replace(f"${{var.{name}}}", variable["default"])
    assert filled + "/" == parameter_path(settings)
    assert {"value", "value_wo"} <= set(parameter["lifecycle"][0]["ignore_changes"])
    assert parameter["value_wo"] == "PLACEHOLDER"
    assert "value" not in parameter  # the state would hold it


def test_the_environment_has_settings_alone() -> None:
    """Every environment variable of the function is a setting, and none is a secret."""
    block = TEXT["lambda.tf"].partition("environment {")[2].partition("\n  }\n")[0]
    given = set(re.findall(r"\b([A-Z][A-Z_]+)\s*=", block))
    known = {str(field.validation_alias) for field in Settings.model_fields.values()}

    assert {"APP_PREFIX", "ENV", "APP_NAME", "MARKETPULSE_PUSH"} <= given <= known
    assert not any(name.startswith("ORACLE_") for name in given)


def test_the_handler_is_there() -> None:
    """The handler of Lambda exists under its name."""
    name = re.search(r'"(marketpulse\.[a-z_.]+)" : null', TEXT["lambda.tf"])
    assert name is not None
    module, _, function = name[1].rpartition(".")
    assert callable(getattr(__import__(module, fromlist=[function]), function))


def test_the_schedule_is_productions() -> None:
    """0 8,10,12,14,16,18 * * * in UTC; its input has EventBridge's keyword unescaped."""
    schedule = resources("aws_scheduler_schedule")["runs"]

    assert schedule["schedule_expression"] == "cron(0 8,10,12,14,16,18 * * ? *)"
    assert schedule["schedule_expression_timezone"] == "UTC"
    assert 'time = "<aws.scheduler.scheduled-time>"' in TEXT["schedule.tf"]
    assert r'"\\u003c", "<"), "\\u003e", ">")' in TEXT["schedule.tf"]


def test_a_schedule_may_ask_what_an_event_may() -> None:
    """The words of the variable `run`, and the scheduled time, are those of an event."""
    (words,) = re.findall(r"keys\(var\.run\), \[(.*)\]", TEXT["variables.tf"])
    assert {*re.findall('"(.*?)"', words), "time"} == aws_lambda.EVENT_KEYS


def test_no_star_that_need_not_be() -> None:
    """Actions have no wildcard; resources only if AWS supports nothing narrower."""
    for statement in statements():
        assert not any("*" in action for action in statement["actions"])
    everywhere = [
        statement["actions"] for statement in statements() if statement.get("resources") == ["*"]
    ]
    assert everywhere == [["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]]


def test_the_function_may_do_what_it_does() -> None:
    """The policy allows each call of a scheduled run to S3 and SSM."""
    allowed = {action for statement in statements() for action in statement["actions"]}
    needed = {"ssm:GetParametersByPath", "s3:ListBucket", "s3:GetObject", "s3:PutObject"}
    assert needed | {"kms:Decrypt", "kms:GenerateDataKey", "s3:DeleteObject"} <= allowed


def test_plain_resources_alone() -> None:
    """Only AWS's provider and no module; every variable has a description."""
    assert [name for name, file in PARSED.items() if "module" in file] == []
    kinds = {
        kind for file in PARSED.values() for block in file.get("resource", ()) for kind in block
    }
    assert all(fnmatch.fnmatch(kind, "aws_*") for kind in kinds)
    for variable in PARSED["variables.tf"]["variable"]:
        for name, body in variable.items():
            assert body["description"], name


@pytest.mark.parametrize("text", TEXT.values(), ids=[*TEXT])
def test_layout(text: str) -> None:
    """Indents and line ends are those of `terraform fmt`."""
    depth = 0
    for line in text.splitlines():
        assert line == line.rstrip()
        assert "\t" not in line
        stripped = re.sub(r'"(?:[^"\\]|\\.)*"', '""', line.partition("# ")[0].strip())
        closing = len(stripped) - len(stripped.lstrip("])}"))
        if line.strip() and not line.lstrip().startswith("#"):
            assert len(line) - len(line.lstrip()) == 2 * (depth - min(closing, 1)), line
        opened = sum(stripped.count(bracket) for bracket in "[({") - sum(
            stripped.count(bracket) for bracket in "])}"
        )
        depth += (opened > 0) - (opened < 0)
    assert depth == 0


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
def test_terraform_would_format_nothing() -> None:
    """`terraform fmt -check` is clean."""
    assert run_terraform("fmt", "-check", "-diff", str(FILES)).stdout == ""


def run_terraform(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run Terraform; a failure shows its output."""
    done = subprocess.run(
        ["terraform", f"-chdir={folder}", *words],
        env=os.environ | {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"},
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture
def infra(tmp_path: Path) -> Path:
    """A folder with the files and AWS's provider; skips if Terraform cannot download it."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")
    folder = tmp_path / "infra"
    terraform.write(folder)
    try:
        run_terraform("init", "-no-color", folder=folder)
    except AssertionError as error:
        if "no such host" in str(error) or "Failed to query available provider" in str(error):
            pytest.skip("AWS's provider is not to be had here")
        raise
    return folder


def test_the_provider_takes_it(infra: Path) -> None:
    """`terraform validate`: AWS's provider knows every resource and every argument."""
    run_terraform("validate", folder=infra)


def test_no_secret_reaches_the_state(infra: Path, tool: Tool, moto: str) -> None:
    """After apply, `ssm put` and refresh the state has no value, and no plan changes one.

    Runs against moto, with the parameters and their key only.
    """
    (infra / "moto_override.tf").write_text(
        'provider "aws" {\n  access_key = "test"\n  secret_key = "test"\n'
        "  skip_credentials_validation = true\n  skip_metadata_api_check = true\n  endpoints {\n"
        + "".join(f'    {name} = "{moto}"\n' for name in ("ssm", "kms", "iam", "sts"))
        + "  }\n}\n"
    )
    variables = {"vpc_id": "vpc-1", "oracle_cidr": "10.0.0.1/32", "endpoints_cidr": "10.0.0.0/16"}
    words = [f"-var={name}={value}" for name, value in variables.items()]
    words += ["-var=subnet_ids=[]", "-target=aws_ssm_parameter.oracle", "-no-color"]
    values = {name: f"planted-{name}-7" for name in PARAMETERS} | {"port": "1599"}
    tool.env |= {"AWS_ENDPOINT_URL_SSM": moto, **AWS_KEYS}
    lines = tool.folder / "parameters.txt"
    lines.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    run_terraform("apply", "-auto-approve", *words, folder=infra)
    with lines.open() as file:
        put = tool.run_process("ssm", "put", stdin=file)
    run_terraform("apply", "-auto-approve", "-refresh-only", *words, folder=infra)
    planned = run_terraform("plan", *words, folder=infra)

    assert put.code == 0, put.err
    state = (infra / "terraform.tfstate").read_text()
    assert parameter_path(load_settings({}, {}, None)) + "password" in state
    assert [value for value in values.values() if value in state] == []
    assert "No changes." in planned.stdout


@pytest.mark.skipif(shutil.which("checkov") is None, reason="checkov is not installed")
def test_checkov_finds_nothing(tmp_path: Path) -> None:
    """Each finding is fixed, or its reason stands beside the line."""
    terraform.write(tmp_path)
    words = ["checkov", "--directory", str(tmp_path), "--quiet", "--skip-download", "-o", "json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    found = json.loads(done.stdout)
    results = found if isinstance(found, list) else [found]
    assert [result["summary"]["failed"] for result in results] == [0] * len(results)


def test_written_out(tool: Tool) -> None:
    """The command writes all files once, and keeps a changed file unless forced."""
    first = tool.run("terraform", "infra")
    again = tool.run("terraform", "infra", "--format", "json")
    (tool.folder / "infra/iam.tf").write_text("mine")
    refused = tool.run("terraform", "infra")

    assert (first.code, again.code, refused.code) == (0, 0, 2)
    assert {path.name for path in (tool.folder / "infra").iterdir()} == {
        *TEXT,
        "Dockerfile",
        "build_function.py",
    }
    assert json.loads(again.out)["written"] == []
    assert "iam.tf would be overwritten" in refused.err
    assert (tool.folder / "infra/iam.tf").read_text() == "mine"
    assert tool.run("terraform", "infra", "--force").code == 0
    assert (tool.folder / "infra/iam.tf").read_text() == TEXT["iam.tf"]
