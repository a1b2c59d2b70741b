"""pyarrow's functions, made as they are used, are those that pyarrow makes."""

import subprocess
import sys

COMPARISON = """
import inspect, sys
from marketpulse.cli.arrow_functions import make_functions_late

make_functions_late()
import pyarrow.compute as late
made = len(vars(late))
del sys.modules["pyarrow.compute"]
sys.meta_path.pop(0)
import pyarrow.compute as usual

def facts(module):
    found = {name: getattr(module, name) for name in dir(usual)}
    return {
        name: (inspect.signature(function), function.__doc__)
        for name, function in found.items()
        if hasattr(function, "__arrow_compute_function__")
    }

assert late is not usual and made < len(vars(usual)) / 2
assert facts(late) == facts(usual)
assert not [name for name in dir(usual) if not hasattr(late, name)]
for name in ("hash_sum", "count_all", "nothing"):  # no function of the module
    assert not hasattr(late, name) and not hasattr(usual, name), name
assert late.utf8_upper(late.and_(True, False).cast("string")).as_py() == "FALSE"
"""


def test_functions_are_those_of_pyarrow() -> None:
    """Names, signatures and documentation are the same; what is no function is none here."""
    process = subprocess.run(
        [sys.executable, "-c", COMPARISON], capture_output=True, encoding="utf-8", check=False
    )

    assert (process.returncode, process.stderr) == (0, "")
