"""`run-colors --engine spark` as a process: on a cluster, without PySpark, without Java."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest
from support import COLORS, OUTPUTS, PROCESSED_AT, RULES, Tool, names_in, one_message, summary_of

from marketpulse.extras import install_command

# A test is over before Java's second compiler has gained what it costs.
QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--explain", "4O4SP5BI0"], "--explain does not work with --engine spark"),
        (["--push", "s3://desk-colors/"], "--push does not work with --engine spark"),
        (["--report"], "--report does not work with --engine spark"),
        (["--table", "COLORS"], "--table does not work with --engine spark"),
        (["--source", "demo"], "demo: --engine spark reads files only"),
    ],
)
def test_what_spark_cannot_do_is_refused(words: list[str], message: str, tool: Tool) -> None:
    """The options are named before Spark starts."""
    inputs = [] if "--source" in words else [COLORS]
    result = tool.run("run-colors", *inputs, "--engine", "spark", *words)

    assert result.code == 2
    assert message in one_message(result.err)


def test_a_master_needs_the_engine(tool: Tool) -> None:
    """`--master` alone would change nothing."""
    result = tool.run("run-colors", COLORS, "--master", "local[2]")

    assert result.code == 2
    assert "--master needs --engine spark" in one_message(result.err)


def test_without_pyspark_a_local_run_works_and_the_engine_says_what_to_install(tool: Tool) -> None:
    """Nothing but `--engine spark` imports PySpark."""
    script = (
        "import sys; sys.modules['pyspark'] = None\n"  # as if it were not installed
        "from marketpulse import run_colors\n"
        f"assert run_colors({str(COLORS)!r}).counts.parents == 313\n"
        "from marketpulse.cli import main\n"
        f"sys.argv[1:] = ['run-colors', {str(COLORS)!r}, '--engine', 'spark']\n"
        "main()\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tool.folder,
        env=tool.env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 2, result.stderr
    assert one_message(result.stderr) == (
        "error: --engine spark needs pyspark, which is not installed\n"
        f"  hint: run: {install_command('spark')}\n"
    )


def test_without_java_the_message_says_so(tool: Tool) -> None:
    """Spark's start script finds no Java: its last words, and what to install."""
    env = {**tool.env, "JAVA_HOME": str(tool.folder / "nowhere")}
    result = tool.run_process("run-colors", COLORS, "--engine", "spark", env=env)

    assert result.code == 3
    message = one_message(result.err)
    assert "Spark does not start" in message
    assert "install Java 17" in message
    assert not (tool.folder / "processed_colors").exists()


@pytest.mark.parametrize("listens", [False, True])
@pytest.mark.skipif(sys.platform == "win32", reason="the start script is one of Unix")
def test_java_that_dies_while_it_starts(tool: Tool, listens: bool) -> None:
    """Its last words and what may help; the master has nothing to do with it."""
    script = tool.folder / "bin/spark-submit"
    script.parent.mkdir()
    script.write_text(
        f"#!{sys.executable}\n"
        "import os, socket, struct, sys\n"
        "from pathlib import Path\n"
        "print('There is insufficient memory', file=sys.stderr)\n"
        f"if not {listens}: sys.exit(1)\n"
        "path = Path(os.environ['_PYSPARK_DRIVER_CONN_INFO_PATH'])\n"
        "listener = socket.create_server(('127.0.0.1', 0))\n"
        "content = struct.pack('!ii', listener.getsockname()[1], 1) + b'x'\n"
        "path.with_name('part').write_bytes(content)\n"
        "path.with_name('part').rename(path)\n"
        "connection = listener.accept()[0]\n"
        "for _ in range(14):\n"  # the token, and what PySpark imports before its context
        "    connection.recv(1000)\n"
        "    connection.sendall(b'!yv\\n')\n"
    )
    script.chmod(0o755)
    env = {**tool.env, "SPARK_HOME": str(tool.folder)}
    result = tool.run_process("run-colors", COLORS, "--engine", "spark", env=env)

    assert result.code == 3
    message = one_message(result.err)
    assert "Spark does not start: There is insufficient memory" in message
    assert "more memory" in message
    assert "--master" not in message


def has_java(tool: Tool) -> bool:
    """Whether a Java runs that a command of this test has started."""
    mark = f"TMPDIR={tool.temporary}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_java = b"java" in (entry / "cmdline").read_bytes()
            if is_java and mark in (entry / "environ").read_bytes():
                return True
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks for Java in /proc")
@pytest.mark.skipif(not shutil.which("java"), reason="Spark needs Java 17")
def test_a_signal_while_spark_starts(tool: Tool) -> None:
    """Java ends with the command, although it has not answered yet."""
    process = tool.start("run-colors", COLORS, "--engine", "spark", "--output", "out")
    while not has_java(tool):
        time.sleep(0.02)
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.decode().splitlines()[-1]) == (143, "ended by SIGTERM")
    ends = time.monotonic() + 20
    while has_java(tool) and time.monotonic() < ends:
        time.sleep(0.05)
    assert not has_java(tool)
    assert names_in(tool.temporary) == []


def spark_home(folder: Path) -> Path:
    """PySpark's own Spark under another name: a cluster on one machine works in that folder."""
    spec = find_spec("pyspark")
    assert spec
    assert spec.submodule_search_locations
    home = folder / "spark_home"
    home.mkdir()
    for entry in Path(spec.submodule_search_locations[0]).iterdir():
        (home / entry.name).symlink_to(entry)
    return home


def executors_of(pid: int) -> list[int]:
    """The executors among the descendants of a process."""
    parents, commands = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
                commands[int(entry.name)] = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    family = {pid}
    for _ in parents:
        more = {child for child, parent in parents.items() if parent in family} - family
        if not more:
            break
        family |= more
    return sorted(child for child in family if b"CoarseGrainedExecutorBackend" in commands[child])


@pytest.mark.skipif(sys.platform != "linux", reason="looks for executors in /proc")
@pytest.mark.skipif(not shutil.which("java"), reason="Spark needs Java 17")
def test_a_worker_is_killed_in_the_middle(tool: Tool) -> None:
    """Two workers, one killed while rows are read: the result is that of a local run."""
    header, *lines = COLORS.read_bytes().splitlines(keepends=True)
    for number in range(4):
        (tool.folder / f"part{number}.csv").write_bytes(header + b"".join(lines))
    names = [f"part{number}.csv" for number in range(4)]
    words = ["run-colors", *names, "--rules", RULES, *PROCESSED_AT]
    local = tool.run(*words, "--output", "local")
    assert local.code == 0

    tool.env |= {"SPARK_HOME": str(spark_home(tool.folder)), "JAVA_TOOL_OPTIONS": QUICK_JAVA}
    tool.env |= {name: os.environ[name] for name in ("JAVA_HOME",) if name in os.environ}
    cluster = ["--engine", "spark", "--master", "local-cluster[2,1,1024]"]
    process = tool.start(*words, *cluster, "--output", "out")
    while process.poll() is None and not list(tool.out.glob("excluded_colors-*.part")):
        time.sleep(0.05)
    victim = executors_of(process.pid)[0]
    os.kill(victim, signal.SIGKILL)
    out, err = (text.decode() for text in process.communicate(timeout=240))

    assert process.returncode == 0, err
    assert out.splitlines()[:6] == local.out.splitlines()[:6]
    ours, theirs = summary_of(tool.out), summary_of(tool.folder / "local")
    assert ours | {"files": []} == theirs | {"files": []}
    listed = [file["name"] for file in ours["files"]]
    assert sorted([*listed, "run_summary.json"]) == [
        name for name in names_in(tool.out) if not name.startswith(".")
    ]
    for table in OUTPUTS:
        parts = [tool.out / name for name in listed if name.startswith(table)]
        rows = [part.read_bytes().split(b"\n", 1)[1] for part in parts]
        whole = (tool.folder / f"local/{table}.csv").read_bytes()
        assert whole.split(b"\n", 1)[1] == b"".join(rows)
