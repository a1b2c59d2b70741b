"""The key of masks: where it comes from, and which keys are refused."""

import json
from pathlib import Path

import boto3
import pytest
from support import AWS_KEYS

from marketpulse.errors import SettingsError
from marketpulse.settings.load import explain_settings, mask_key

KEY = "Planted-key-of-the-masks"


def read(environment: dict[str, str], env_file: Path | None = None, **options: str) -> str:
    """The key of an environment."""
    return mask_key(options, environment, env_file).get_secret_value()


def test_the_places_in_their_order(
    moto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment, then `.env`, then the secret, then SSM; with --credentials env no AWS."""
    for name, value in {**AWS_KEYS, "AWS_ENDPOINT_URL": moto}.items():
        monkeypatch.setenv(name, value)
    ssm = boto3.client("ssm", region_name="us-east-1")
    ssm.put_parameter(
        Name="/sp-incb/ci/market-pulse/mask_key", Value=f"{KEY} SSM", Type="SecureString"
    )
    secrets = boto3.client("secretsmanager", region_name="us-east-1")
    content = json.dumps({"password": "x", "mask_key": f"{KEY} secret"})
    secrets.create_secret(Name="desk/colors", SecretString=content)
    ssm.close()
    secrets.close()
    env_file = tmp_path / "desk.env"
    env_file.write_text(f"MARKETPULSE_MASK_KEY={KEY}-file\n", encoding="utf-8")
    secret = {"ORACLE_SECRET_ID": "desk/colors"}

    assert read({"MARKETPULSE_MASK_KEY": KEY, **secret}, env_file) == KEY
    assert read(secret, env_file) == f"{KEY}-file"
    assert read(secret) == f"{KEY} secret"
    assert read(secret, MARKETPULSE_CREDENTIALS="ssm") == f"{KEY} SSM"
    assert read({}) == f"{KEY} SSM"
    with pytest.raises(SettingsError, match=r"looked in the environment, not AWS \(--cred") as lost:
        read(secret, MARKETPULSE_CREDENTIALS="env")
    assert lost.value.check == "MP-SET-005"

    report = explain_settings({}, {"MARKETPULSE_MASKS": "CUSIP=hmac"}, None)
    shown = {setting.variable: setting for setting in report.origins}["MARKETPULSE_MASK_KEY"]
    assert (shown.text, shown.origin) == ("********", "SSM /sp-incb/ci/market-pulse/mask_key")


@pytest.mark.parametrize(
    ("key", "check", "message"),
    [
        ("x" * 19, "MP-SET-005", "has fewer than 20 characters"),
        (f"{'x' * 19}    ", "MP-SET-005", "has fewer than 20 characters"),
        (f" {KEY}", "MP-SET-004", "MARKETPULSE_MASK_KEY (environment): there are blanks"),
        (f"{KEY}\n", "MP-SET-004", "MARKETPULSE_MASK_KEY (environment): there are blanks"),
        (" " * 30, "MP-SET-005", "is not set"),
        ("PLACEHOLDER-of-more-than-20-characters", "MP-SET-005", "is not set"),
    ],
)
def test_keys_that_are_refused(key: str, check: str, message: str) -> None:
    """A short one can be guessed, and with a line end the masks would be others; none is shown."""
    with pytest.raises(SettingsError) as caught:
        read({"MARKETPULSE_MASK_KEY": key}, MARKETPULSE_CREDENTIALS="env")
    assert caught.value.check == check
    assert message in caught.value.message
    assert caught.value.hint
    assert KEY not in caught.value.message
