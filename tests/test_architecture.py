"""The shape of the code, read from its source: who may import whom, and what stands where."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import marketpulse

PACKAGE = Path(marketpulse.__file__).parent

# From top to bottom; imports point down, or sideways. A package stands for its modules, unless
# they are named themselves. "" is the package itself: the Python API.
LAYERS = (
    ("", "__main__", "cli", "function"),  # front doors
    ("cli.startup",),
    ("cli.app",),
    ("cli.colors", "cli.extraction", "cli.publishing", "cli.diagnosis", "cli.demo"),
    ("cli.session", "cli.errors", "cli.options", "cli.tour"),
    ("cli.render", "function.http"),
    ("cli.console",),
    ("function.service",),
    ("function.database", "function.published"),
    (
        "colors.run",
        "colors.explain",
        "colors.funnel",
        "colors.query",
        "extraction",
        "publish",
        "doctor",
        "terraform",
    ),  # jobs
    ("colors", "sources"),
    ("settings",),
    ("aws", "bundle"),
    ("formats", "artifacts", "atomic", "timestamps"),
    ("model", "documents", "log", "names", "errors", "version"),
)
# The modules that may import a library; others ask them.
DOORS = {
    "rich": {"cli.console"},
    "typer": {
        "cli.app",
        "cli.colors",
        "cli.demo",
        "cli.diagnosis",
        "cli.errors",
        "cli.extraction",
        "cli.options",
        "cli.publishing",
    },
    "pydantic": {"settings", "colors.memory", "bundle.manifest", "function.http"},
    "fastapi": {"function.http", "function.events"},  # there for a type alone
    "mangum": {"function.events"},
    "pydantic_settings": {"settings"},
    "dotenv": {"settings"},
    "openpyxl": {"formats.xlsx"},
    "xlsxwriter": {"formats.xlsx"},
    "oracledb": {
        "sources.oracle.connection",
        "sources.oracle.dictionary",
        "sources.oracle.dsn",
        "sources.oracle.errors",
    },
    "sqlalchemy": {"sources.oracle.dictionary"},
    "boto3": {"aws.session", "aws.bucket", "aws.s3_client", "aws.ssm"},
    "botocore": {"aws.session", "aws.bucket", "aws.s3_client", "aws.ssm"},
}
HEAVY = {
    "boto3",
    "botocore",
    "duckdb",
    "numpy",
    "openpyxl",
    "oracledb",
    "pandas",
    "pyarrow",
    "pydantic",
    "pydantic_settings",
    "rich",
    "sqlalchemy",
    "sqlglot",
    "xlsxwriter",
}
LONGEST_BODY = 60  # lines


@dataclass(frozen=True)
class Import:
    """A module that is imported: at once, or in a function, or for types alone."""

    module: str
    line: int
    at_once: bool


@dataclass(frozen=True)
class Module:
    """A file of ours."""

    name: str
    tree: ast.Module

    def imports(self) -> Iterator[Import]:
        """Every import in the file, wherever it stands."""
        at_once = {id(node) for node in _run_at_import(self.tree)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{self.name}: imports are written in full"
                names = [_imported(f"{node.module}.{alias.name}") for alias in node.names]
            else:
                continue
            for name in names:
                yield Import(name, node.lineno, id(node) in at_once)

    def ours(self) -> Iterator[tuple[str, Import]]:
        """The imports of our own modules, by their names within the package."""
        for one in self.imports():
            head, _, inner = one.module.partition(".")
            if head == "marketpulse":
                yield inner, one


def _run_at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """What runs when the module is imported."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        yield node
        yield from _run_at_import(node)


def _imported(name: str) -> str:
    """The module that `from a.b import c` loads: a.b.c where it is one, else a.b."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    is_module = path.with_suffix(".py").exists() or (path / "__init__.py").exists()
    return name if is_module else name.rpartition(".")[0]


def _name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    _name(path): Module(_name(path), ast.parse(path.read_text(encoding="utf-8")))
    for path in sorted(PACKAGE.rglob("*.py"))
    # Scripts that run by their path, no modules of ours.
    if path.name not in {"build_function.py", "install.py"}
}


def layer_of(module: str) -> int:
    """The layer of a module, counted from the top."""
    while True:
        for number, layer in enumerate(LAYERS):
            if module in layer:
                return number
        assert "." in module, f"{module} has no place among the layers"
        module = module.rpartition(".")[0]


def test_the_layers_name_what_is_there() -> None:
    """Every module has its place, and every name among the layers is a module's."""
    assert all(layer_of(name) >= 0 for name in MODULES)
    assert {name for layer in LAYERS for name in layer} <= set(MODULES)


@pytest.mark.parametrize("module", MODULES.values(), ids=[name or "-" for name in MODULES])
def test_imports_point_down(module: Module) -> None:
    """A module imports from its own layer or a lower one, also in its functions."""
    upward = [
        f"{module.name}:{one.line} imports {name}"
        for name, one in module.ours()
        if layer_of(name) < layer_of(module.name)
    ]
    assert upward == []


@pytest.mark.parametrize("name", LAYERS[-1])
def test_the_lowest_import_nothing_of_ours(name: str) -> None:
    """Model, names, errors and version can be used from anywhere, since they need nobody."""
    assert list(MODULES[name].ours()) == []


def test_no_modules_import_each_other() -> None:
    """Module by module there is an order in which they can be loaded."""
    graph = {
        name: {other for other, one in module.ours() if one.at_once and other != name}
        for name, module in MODULES.items()
    }
    assert set(TopologicalSorter(graph).static_order()) == set(MODULES)


@pytest.mark.parametrize("library", DOORS)
def test_each_library_has_one_door(library: str) -> None:
    """Only the module that stands for a library imports it."""
    users = {
        module.name
        for module in MODULES.values()
        for one in module.imports()
        if one.module.partition(".")[0] == library
    }
    assert users <= DOORS[library]
    assert users, f"nobody uses {library}: is it a dependency?"


def test_the_environment_is_an_argument() -> None:
    """Nothing below the front doors reads the environment."""
    readers = {
        module.name
        for module in MODULES.values()
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"})
        or (isinstance(node, ast.alias) and node.name in {"environ", "environb", "getenv"})
    }
    # OracleDatabase() is a front door, too.
    assert readers == {
        "cli.session",
        "cli.startup",
        "function.events",
        "sources.oracle.connection",
    }


def test_only_the_console_prints() -> None:
    """Jobs return results, and only the console shows them."""
    printers = {
        module.name
        for module in MODULES.values()
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.Name) and node.id == "print")
        or (isinstance(node, ast.Attribute) and node.attr in {"stdout", "stderr"})
    }
    assert printers == {"cli.console"}


def test_help_loads_nothing_heavy() -> None:
    """What `marketpulse --help` imports, it and all that this imports, is light."""
    waiting, loaded = ["__main__"], set()
    while waiting:
        name = waiting.pop()
        loaded.add(name)
        packages = {name.rpartition(".")[0], ""}
        imports = [one for one in MODULES[name].imports() if one.at_once]
        heavy = {f"{name}:{it.line}" for it in imports if it.module.partition(".")[0] in HEAVY}
        assert heavy == set()
        ours = {other for other, one in MODULES[name].ours() if one.at_once}
        waiting += sorted((ours | packages) - loaded)
    assert loaded >= {"cli.app", "cli.console", "errors"}


@pytest.mark.parametrize("module", MODULES.values(), ids=[name or "-" for name in MODULES])
def test_no_function_is_too_long(module: Module) -> None:
    """A function's body, its docstring aside, fits a screen."""
    long = {
        f"{node.name}: {body_length(node)} lines"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if body_length(node) > LONGEST_BODY
    }
    assert long == set()


def body_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function's body, without the signature and the docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
