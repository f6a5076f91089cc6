"""What each trick around the first import of a large library buys: CPU seconds of fresh processes, in turn.

Great Expectations alone, and with one after another of: PySpark left out, Altair put off, SciPy's statistics put off,
the garbage collector off. TensorFlow and Keras alone, with the collector off, and with what Keras imports for galleries
and for scikit-learn put off. Decisions 218 and 309 have the figures by which a trick is kept.

usage: python -m bench.imports [--rounds N]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HOOKS = """
import sys, warnings
from contextlib import ExitStack
warnings.simplefilter("ignore")
from kilnworks.schemas.collecting import without_collection
from kilnworks.schemas.import_hooks import absent, late
with ExitStack() as stack:
    for hook in ({hooks}):
        stack.enter_context(hook)
    {library}
"""
GX = "import great_expectations, great_expectations.expectations"
CASES = {
    "great_expectations, as it is": (GX, ""),
    "  PySpark left out": (GX, "absent('pyspark'),"),
    "  and Altair put off": (GX, "absent('pyspark'), late(['altair']),"),
    "  and scipy.stats put off": (GX, "absent('pyspark'), late(['altair', 'scipy.stats']),"),
    "  and no collector": (GX, "absent('pyspark'), late(['altair', 'scipy.stats']), without_collection(),"),
    "  no collector alone": (GX, "without_collection(),"),
    "tensorflow and keras, as they are": ("import tensorflow, keras", ""),
    "  no collector": ("import tensorflow, keras", "without_collection(),"),
    "  and pyplot and wrappers put off": (
        "import tensorflow, keras",
        "without_collection(), late(['matplotlib.pyplot', 'keras.wrappers']),",
    ),
}


def cpu_seconds(library: str, hooks: str) -> float:
    """Of a fresh process that imports, with the hooks around it."""
    code = HOOKS.format(hooks=hooks, library=library)
    code += "\nimport resource; u = resource.getrusage(resource.RUSAGE_SELF); print(u.ru_utime + u.ru_stime)"
    with tempfile.TemporaryDirectory() as folder:  # in ``python -c`` PySpark may end the process that imports it
        script = Path(folder) / "script.py"
        script.write_text(code)
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        command = [sys.executable, str(script)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Print the median of every case, and what it saves against the library as it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="processes of each case [default: %(default)s]")
    rounds = parser.parse_args().rounds
    found = {name: [] for name in CASES}  # type: dict[str, list[float]]
    for done in range(rounds):
        for name, case in CASES.items():
            found[name].append(cpu_seconds(*case))
            print(f"round {done + 1}: {name.strip()} {found[name][-1]:.2f}", file=sys.stderr, flush=True)
    base = 0.0
    for name, seconds in found.items():
        median = statistics.median(seconds)
        base = base if name.startswith("  ") else median
        print(f"{name:36} {median:6.2f} CPU s  {median / base:5.2f} x  ({min(seconds):.2f} to {max(seconds):.2f})")


if __name__ == "__main__":
    main()
