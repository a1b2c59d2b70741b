"""The Terraform files: they parse, agree with the code, and hold no secrets."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import boto3
import hcl2
import pytest
from support import AWS_KEYS, ROOT, Tool

from marketpulse import terraform
from marketpulse.aws.parameters import PARAMETERS, SECRET_NAMES
from marketpulse.colors.tally import Counts
from marketpulse.function import events as aws_lambda
from marketpulse.settings.load import Settings, load_settings, parameter_path

SERVICES = ("cloudwatch", "ec2", "iam", "kms", "lambda", "logs", "s3", "scheduler", "sqs", "ssm")
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


def variable(name: str) -> dict[str, Any]:
    """A variable."""
    found = (block[name] for block in PARSED["variables.tf"]["variable"] if name in block)
    return dict(next(found))


def local(name: str) -> Any:
    """The value of a local."""
    return next(
        block[name] for file in PARSED.values() for block in file.get("locals", ()) if name in block
    )


def test_the_parameters_are_those_of_the_code() -> None:
    """Names, secrets and path agree with the code; Terraform ignores later values."""
    parameter = resources("aws_ssm_parameter")["oracle"]

    assert local("parameters") == [*PARAMETERS]
    assert set(local("encrypted")) == SECRET_NAMES & {*PARAMETERS}  # the key of masks is no login
    settings = load_settings({}, {}, None)
    filled = local("parameter_path")
    for name in ("app_prefix", "app_name"):
        assert variable(name)["default"] == getattr(settings, name)
        filled = filled.replace(f"${{var.{name}}}", variable(name)["default"])
    assert "default" not in variable("env")  # nobody gets an environment by leaving it out
    filled = filled.replace("${var.env}", settings.env)
    assert filled + "/" == parameter_path(settings)
    assert {"value", "value_wo"} <= set(parameter["lifecycle"][0]["ignore_changes"])
    assert parameter["value_wo"] == "PLACEHOLDER"
    assert "value" not in parameter  # the state would hold it


def test_what_cannot_be_made_again_is_protected() -> None:
    """Colors, secrets, and the key without which nobody can read them."""
    for kind, name in (
        ("aws_s3_bucket", "colors"),
        ("aws_ssm_parameter", "oracle"),
        ("aws_kms_key", "main"),
    ):
        assert resources(kind)[name]["lifecycle"][0]["prevent_destroy"] is True


def test_the_environment_has_settings_alone() -> None:
    """Every environment variable of the function is a setting, and none is a secret."""
    block = TEXT["lambda.tf"].partition("environment {")[2].partition("\n  }\n")[0]
    given = set(re.findall(r"\b([A-Z][A-Z_]+)\s*=", block))
    known = {str(field.validation_alias) for field in Settings.model_fields.values()}

    assert {"APP_PREFIX", "ENV", "APP_NAME", "MARKETPULSE_PUSH"} <= given <= known
    assert [name for name in given if name.startswith("ORACLE_")] == ["ORACLE_SECRET_ID"]  # a name


def test_the_handler_is_there() -> None:
    """The handler of Lambda exists under its name."""
    name = re.search(r'"(marketpulse\.[a-z_.]+)" : null', TEXT["lambda.tf"])
    assert name is not None
    module, _, function = name[1].rpartition(".")
    assert callable(getattr(__import__(module, fromlist=[function]), function))


def test_the_schedule_is_productions() -> None:
    """0 8,10,12,14,16,18 * * * in UTC; its input has EventBridge's keyword unescaped."""
    schedule = resources("aws_scheduler_schedule")["runs"]

    assert schedule["schedule_expression"] == "${var.schedule}"
    assert schedule["schedule_expression_timezone"] == "${var.schedule_timezone}"
    assert variable("schedule")["default"] == "cron(0 8,10,12,14,16,18 * * ? *)"
    assert variable("schedule_timezone")["default"] == "UTC"
    assert 'time = "<aws.scheduler.scheduled-time>"' in TEXT["schedule.tf"]
    assert r'"\\u003c", "<"), "\\u003e", ">")' in TEXT["schedule.tf"]


def test_a_schedule_may_ask_what_an_event_may() -> None:
    """The words of the variable `run`, and the scheduled time, are those of an event."""
    (words,) = re.findall(r"keys\(var\.run\), \[(.*)\]", TEXT["variables.tf"])
    assert {*re.findall('"(.*?)"', words), "time"} == aws_lambda.EVENT_KEYS


def test_no_star_that_need_not_be() -> None:
    """Actions have no wildcard; resources only if AWS supports nothing narrower."""
    allowed = [statement for statement in statements() if statement.get("effect") != "Deny"]
    for statement in allowed:
        assert not any("*" in action for action in statement["actions"])
    everywhere = [
        statement["actions"] for statement in allowed if statement.get("resources") == ["*"]
    ]
    assert everywhere == [["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]]


def test_the_key_serves_other_services_alone() -> None:
    """Whoever may use the key may do so through a service that holds what it encrypts."""
    documents = PARSED["readers.tf"]["data"][0]["aws_iam_policy_document"]
    uses = [
        statement
        for statement in [*statements(), *documents["reader"]["statement"]]
        if any(action.startswith("kms:") for action in statement["actions"])
    ]
    assert [use["condition"][0]["variable"] for use in uses] == ["kms:ViaService"] * 3


def test_the_network_is_lambdas_alone() -> None:
    """What Lambda may do to the network, as AWS demands it, the code of the function may not."""
    network = [
        (statement.get("effect"), {*statement["actions"]})
        for statement in statements()
        if any(action.startswith("ec2:") for action in statement["actions"])
    ]
    allowed = {action for effect, actions in network if effect != "Deny" for action in actions}
    assert [actions for effect, actions in network if effect == "Deny"] == [allowed]


def test_a_reader_sends_no_event() -> None:
    """A reader calls the function through its URL: an event may name any table and condition."""
    text = TEXT["readers.tf"].partition('"lambda:InvokeFunction"]')[2].partition("dynamic")[0]
    assert re.search(r'variable = "lambda:InvokedViaFunctionUrl"\s+values += \["true"\]', text)


def test_the_alarms_read_what_is_logged() -> None:
    """The metrics are fields of the line that the function logs after a run."""
    metrics = local("run_metrics")
    counts = {f"$.{field.name}" for field in fields(Counts)}

    assert {*metrics} == {"Runs", "Rows", "Rejected"}
    assert {value for value in metrics.values() if value != "1"} <= counts
    assert '$.message = \\"done\\"' in TEXT["alarms.tf"]


def test_the_function_may_do_what_it_does() -> None:
    """The policy allows each call of a scheduled run to S3 and SSM."""
    allowed = {action for statement in statements() for action in statement["actions"]}
    needed = {"ssm:GetParametersByPath", "s3:ListBucket", "s3:GetObject", "s3:PutObject"}
    needed |= {"s3:AbortMultipartUpload"}
    assert needed | {"kms:Decrypt", "kms:GenerateDataKey", "s3:DeleteObject"} <= allowed


def test_plain_resources_alone() -> None:
    """Only AWS's provider and no module; every variable has a description."""
    assert [name for name, file in PARSED.items() if "module" in file] == []
    kinds = {
        kind for file in PARSED.values() for block in file.get("resource", ()) for kind in block
    }
    assert all(fnmatch.fnmatch(kind, "aws_*") for kind in kinds)
    for block in PARSED["variables.tf"]["variable"]:
        for name, body in block.items():
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


def run_terraform(
    *words: str, folder: Path = ROOT, workspace: str = "ci", code: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run Terraform; another exit code than `code` shows its output."""
    settings = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_WORKSPACE": workspace}
    done = subprocess.run(
        ["terraform", f"-chdir={folder}", *words],
        env=os.environ | settings, capture_output=True, text=True, check=False, timeout=400,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture
def infra(tmp_path: Path) -> Path:
    """A folder with the files and AWS's provider; skips if Terraform cannot download it."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")
    folder = tmp_path / "infra"
    terraform.write(folder)
    with zipfile.ZipFile(folder / "function.zip", "w") as zipped:
        zipped.writestr("code.py", "")
    try:
        run_terraform("init", "-no-color", folder=folder)
    except AssertionError as error:
        if "no such host" in str(error) or "Failed to query available provider" in str(error):
            pytest.skip("AWS's provider is not to be had here")
        raise
    return folder


def write_overrides(infra: Path, moto: str) -> None:
    """Write what makes moto the cloud, and a variable for each part of the files."""
    addresses = "".join(f'    {service} = "{moto}"\n' for service in (*SERVICES, "sts"))
    (infra / "moto_override.tf").write_text(
        f"""provider "aws" {{
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true
  endpoints {{
{addresses}  }}
}}

# moto is without TLS, so the real policy would refuse all that follows.
data "aws_iam_policy_document" "bucket" {{
  statement {{
    actions   = ["s3:GetObject"]
    resources = [aws_s3_bucket.colors.arn]

    principals {{
      type        = "AWS"
      identifiers = [local.account]
    }}
  }}
}}

# The provider watches for 50 seconds whether the rules stay.
resource "aws_s3_bucket_lifecycle_configuration" "colors" {{
  count = 0
}}

# moto forgets these.
resource "aws_lambda_function" "main" {{
  lifecycle {{
    ignore_changes = [dead_letter_config]
  }}
}}

resource "aws_vpc_security_group_egress_rule" "s3" {{
  lifecycle {{
    ignore_changes = [description]
  }}
}}
"""
    )
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    ec2 = boto3.client("ec2", endpoint_url=moto, region_name="us-east-1", **keys)
    subnet = ec2.describe_subnets()["Subnets"][0]
    ec2.close()
    variables = {
        "env": "ci",
        "vpc_id": subnet["VpcId"],
        "subnet_ids": [subnet["SubnetId"]],
        "oracle_cidr": "10.20.30.40/32",
        "endpoints_cidr": "10.0.0.0/16",
        "scheduled": True,
        "http": True,
        "http_tables": ["COLORS_TABLE"],
        "reader_arns": ["arn:aws:iam::123456789012:root"],
        "rules_key": "rules/rules.json",
    }
    (infra / "terraform.tfvars.json").write_text(json.dumps(variables))


def test_no_slip_destroys_an_environment(infra: Path, tool: Tool, moto: str) -> None:
    """Everything can be applied; a second time nothing changes, and no value is in the state.

    Another `env` and `destroy` are refused, and all of it remains. An image instead of the zip
    makes another function, with all that belongs to it.
    """
    write_overrides(infra, moto)
    values = {name: f"planted-{name}-7" for name in PARAMETERS} | {"port": "1599"}
    tool.env |= {"AWS_ENDPOINT_URL_SSM": moto, **AWS_KEYS}
    lines = tool.folder / "parameters.txt"
    lines.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    apply = ("apply", "-auto-approve", "-no-color", "-parallelism=40")
    first = run_terraform(*apply, folder=infra)
    with lines.open() as file:
        put = tool.run_process("ssm", "put", stdin=file)
    second = run_terraform(*apply, folder=infra)
    plan = ("plan", "-no-color", "-refresh=false", "-var=env=qa")
    other_env = run_terraform(*plan, folder=infra, code=1)
    image = run_terraform(*plan[:-1], "-var=image_uri=example.org/colors:1", folder=infra)
    destroyed = run_terraform("destroy", *apply[1:], "-refresh=false", folder=infra, code=1)

    assert put.code == 0, put.err
    assert " 0 changed, 0 destroyed" in first.stdout
    assert "0 added, 0 changed, 0 destroyed" in second.stdout
    state = (infra / "terraform.tfstate.d/ci/terraform.tfstate").read_text()
    assert parameter_path(load_settings({}, {}, None)) + "password" in state
    assert [value for value in values.values() if value in state] == []
    assert re.findall(r"(\w+)\.\S+ (?:must|will) be (?:replaced|destroyed)", image.stdout) == [
        "aws_lambda_function",
        "aws_lambda_function_event_invoke_config",  # AWS deletes it with the function
        "aws_lambda_function_url",  # and this
        "aws_s3_object",
    ]
    assert "The workspace is ci, and env is qa." in " ".join(other_env.stderr.split())
    assert "Instance cannot be destroyed" in destroyed.stderr
    assert "Destroying..." not in destroyed.stdout


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
