"""A cloud for the function: database, Parameter Store and bucket, and how Lambda calls it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oracle_server.server import OracleServer

from marketpulse.function import events
from marketpulse.function.logins import LOGIN_FILE

PATH = "/sp-incb/ci/market-pulse/oracle"
FIRST, SECOND = "Planted-Rye-5150", "Planted-Oat-6160"
AT = "2026-03-13T08:00:00Z"
UNDER = "processed_colors/date=2026-03-13/run="
LOGIN_KEY = f"processed_colors/{LOGIN_FILE}"


@dataclass(frozen=True)
class Context:
    """The part of Lambda's context that the function reads."""

    aws_request_id: str = "7c9e6679-request"


@dataclass
class Cloud:
    """A database, a Parameter Store and a bucket, and the environment of a function."""

    database: OracleServer
    ssm: Any
    s3: Any
    environment: dict[str, str]

    def put(self, **values: str) -> None:
        """Write parameters."""
        for name, text in values.items():
            kind = "SecureString" if name in {"username", "password"} else "String"
            self.ssm.put_parameter(Name=f"{PATH}/{name}", Value=text, Type=kind, Overwrite=True)

    def read(self, key: str) -> bytes:
        """An object of the bucket."""
        content: bytes = self.s3.get_object(Bucket="colors", Key=key)["Body"].read()
        return content

    def objects(self) -> dict[str, bytes]:
        """All that is in the bucket, without the object that each login writes."""
        listed = self.s3.list_objects_v2(Bucket="colors").get("Contents", ())
        return {item["Key"]: self.read(item["Key"]) for item in listed if item["Key"] != LOGIN_KEY}

    def writes(self) -> int:
        """How many times something was written or deleted, ever, besides logins."""
        found = self.s3.list_object_versions(Bucket="colors")
        versions = (*found.get("Versions", ()), *found.get("DeleteMarkers", ()))
        return sum(version["Key"] != LOGIN_KEY for version in versions)


def call(event: Mapping[str, Any]) -> Any:
    """Call the handler as Lambda does."""
    return events.handler(event, Context())


def ask(path: str, query: str = "", method: str = "GET", body: str | None = None) -> Any:
    """Send an HTTP event of a function URL; returns status and JSON."""
    answer = call(
        {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": query,
            "headers": {
                "host": "x.lambda-url.us-east-1.on.aws",
                "content-type": "application/json",
            },
            "requestContext": {
                "http": {"method": method, "path": path, "sourceIp": "10.0.0.1"},
                "stage": "$default",
            },
            "body": body,
            "isBase64Encoded": False,
        }
    )
    return answer["statusCode"], json.loads(answer["body"])
