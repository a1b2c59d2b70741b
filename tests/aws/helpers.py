"""A Parameter Store seen without our code, and the parameters of a database."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oracle_server.server import OracleServer
from support import Result, Tool

PATH = "/sp-incb/ci/market-pulse/oracle"
SECRET = "Planted-Rye-5150"


@dataclass(frozen=True)
class ParameterStore:
    """SSM, used through boto3 alone."""

    client: Any
    url: str

    def put(self, values: Mapping[str, str]) -> None:
        """Write parameters; user name and password encrypted."""
        for name, text in values.items():
            kind = "SecureString" if name in {"username", "password"} else "String"
            self.client.put_parameter(Name=f"{PATH}/{name}", Value=text, Type=kind)

    def read(self) -> dict[str, tuple[str, str]]:
        """Type and value of each parameter, by the last part of its name."""
        answer = self.client.get_parameters_by_path(Path=PATH, WithDecryption=True)
        return {
            item["Name"].rpartition("/")[2]: (item["Type"], item["Value"])
            for item in answer["Parameters"]
        }


def parameters(database: OracleServer, **changes: str) -> dict[str, str]:
    """The seven parameters of a database; an empty change leaves one out."""
    values = {
        "host": database.host,
        "port": str(database.port),
        "service_name": database.service,
        "username": "analyst",
        "password": SECRET,
        "schema": "MARKET",
        "table_name": "COLORS_TABLE",
    }
    return {name: text for name, text in (values | changes).items() if text}


def run_with_input(tool: Tool, content: str | bytes, *words: str) -> Result:
    """Run a command with this on standard input."""
    path = tool.temporary / "input"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with path.open("rb") as file:
        result = tool.run_process(*words, stdin=file)
    path.unlink()
    return result
