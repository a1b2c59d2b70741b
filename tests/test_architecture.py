"""The shape of the code: which package may import which, and rules that no linter states.

The layers are drawn once, in docs/architecture.md, and read from there. grimp builds the graph of
imports, those inside functions and for type checking included.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest
from support import ROOT

PACKAGE = ROOT / "marketpulse"
DRAWING = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
# The modules and packages that may import a library; all others ask them.
DOORS = {
    "boto3": {"aws"},
    "botocore": {"aws"},
    "cryptography": {"extraction.masks", "sources.oracle.native_encryption"},
    "dotenv": {"settings"},
    "fastapi": {"function"},
    "mangum": {"function"},
    "openpyxl": {"formats.workbook"},
    "oracledb": {"sources.oracle"},
    "py4j": {"colors.spark"},
    "pydantic_settings": {"settings"},
    "pyspark": {"colors.spark"},
    "rich": {"cli.console"},
    "sqlalchemy": {"sources.oracle.dictionary"},
    "typer": {"cli"},
    "xlsxwriter": {"formats.xlsx"},
}
LONGEST_BODY = 55  # lines: the routes of the HTTP API stand in one function
SCRIPTS = {"install.py", "terraform/build_function.py"}  # run by their path, never imported


def layers() -> list[list[str]]:
    """The layers as docs/architecture.md draws them, from the top: what imports, then what is."""
    drawing = re.search(r"```text\n(.*?)```", DRAWING, re.DOTALL)
    assert drawing, "docs/architecture.md draws no layers"
    # A line is a label, a gap, and the names between dots.
    rows = [re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in drawing[1].splitlines()]
    return [re.split(r" · ", names) for _, names in rows]


@cache
def graph() -> grimp.ImportGraph:
    """All modules, and all their imports."""
    return grimp.build_graph("marketpulse", include_external_packages=True, cache_dir=None)


def modules() -> set[str]:
    """The names of our modules, `marketpulse.` left out; the package itself is ""."""
    ours = {name for name in graph().modules if name.partition(".")[0] == "marketpulse"}
    return {name.partition(".")[2] for name in ours}


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Each file of the package by its path below it, parsed."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name not in SCRIPTS:
            yield name, ast.parse(path.read_text(encoding="utf-8"))


FILES = dict(sources())


def test_the_layers_name_every_room() -> None:
    """Each package and module below marketpulse/ stands in one layer, and nothing else does."""
    drawn = [name for layer in layers() for name in layer]
    rooms = {name.partition(".")[0] for name in modules()} - {"", "__main__"}
    scripts = {name.removesuffix(".py") for name in SCRIPTS}

    assert sorted(drawn) == sorted(rooms - scripts)


def test_imports_point_down() -> None:
    """A room imports from lower layers alone, also in its functions and for type checking."""
    stack = [grimp.Layer(*layer, independent=True) for layer in layers()]
    found = graph().find_illegal_dependencies_for_layers(stack, containers={"marketpulse"})

    assert [str(dependency) for dependency in found] == []


def test_no_modules_import_each_other() -> None:
    """Module by module there is an order in which they can be loaded."""
    ours = {f"marketpulse.{name}" for name in modules() if name}
    imports = {name: graph().find_modules_directly_imported_by(name) & ours for name in ours}

    assert set(TopologicalSorter(imports).static_order()) == ours


@pytest.mark.parametrize("library", DOORS)
def test_each_library_has_one_door(library: str) -> None:
    """Only the module or package that stands for a library imports it."""
    users = {name.partition(".")[2] for name in graph().find_modules_that_directly_import(library)}
    strangers = {
        user
        for user in users
        if not any(user == door or user.startswith(f"{door}.") for door in DOORS[library])
    }

    assert strangers == set()
    assert users, f"nobody uses {library}: is it a dependency?"


def test_the_environment_is_an_argument() -> None:
    """Nothing below the front doors reads the environment."""
    names = {"environ", "environb", "getenv"}
    readers = {
        file
        for file, tree in FILES.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.alias) and node.name in names)
    }

    # OracleDatabase() is a front door, too.
    assert {file.partition("/")[0] for file in readers} <= {"cli", "function", "sources"}
    assert {file for file in readers if file.startswith("sources")} == {
        "sources/oracle/connection.py"
    }


def test_only_the_console_prints() -> None:
    """Jobs return results, and only the console shows them."""
    printers = {
        file
        for file, tree in FILES.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id == "print")
        or (isinstance(node, ast.Attribute) and node.attr in {"stdout", "stderr"})
    }

    assert printers == {"cli/console.py"}


@pytest.mark.parametrize("file", FILES)
def test_no_function_is_too_long(file: str) -> None:
    """A function's body, its docstring aside, fits a screen."""
    long = {
        f"{node.name}: {body_length(node)} lines"
        for node in ast.walk(FILES[file])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if body_length(node) > LONGEST_BODY
    }

    assert long == set()


def body_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function's body, without the signature and the docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("file", FILES)
def test_loops_say_what_they_run_over(file: str) -> None:
    """A loop variable names what it stands for: never `it` or `one`."""
    pronouns = {
        f"line {node.target.lineno}"
        for node in ast.walk(FILES[file])
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension)
        for name in ast.walk(node.target)
        if isinstance(name, ast.Name) and name.id in {"it", "one"}
    }

    assert pronouns == set()


def test_a_class_name_has_one_meaning() -> None:
    """No two public classes share a name, a format's `Writer` aside: each format has one."""
    places: dict[str, list[str]] = {}
    for file, tree in FILES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(file)
    shared = {
        name: files
        for name, files in places.items()
        if len(files) > 1 and not all(file.startswith("formats/") for file in files)
    }

    assert shared == {}


def test_the_drawing_is_the_only_one() -> None:
    """docs/architecture.md names only files that exist."""
    paths = re.findall(r"`((?:marketpulse|tests|docs)/[\w./]+|[a-z_]+(?:/[\w.]+)+)`", DRAWING)
    missing = [
        path for path in paths if not any((base / path).exists() for base in (ROOT, PACKAGE))
    ]

    assert paths
    assert missing == []


def test_paths_of_scripts() -> None:
    """The scripts that no layer holds are there."""
    assert all((Path(PACKAGE) / name).is_file() for name in SCRIPTS)
