"""The first import of a large library: quiet, and without collections of garbage."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kilnworks.pipelines.cli.quiet import LARGE

ROOT = Path(__file__).parents[2]
IMPORT = """
import gc
from kilnworks.pipelines.cli.quiet import quiet_libraries
quiet_libraries({arguments})
import {library}
print({library}.COLLECTING, gc.isenabled(), gc.get_freeze_count() > 0)
"""


@pytest.mark.parametrize("library", LARGE)
@pytest.mark.parametrize(("arguments", "hidden"), [("", "True"), ("own_process=False", "False")])
def test_collector_rests_and_hides_only_in_a_process_of_our_own(tmp_path, library, arguments, hidden):
    (tmp_path / f"{library}.py").write_text("import gc\nCOLLECTING = gc.isenabled()\n")
    code = IMPORT.format(library=library, arguments=arguments)
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", hidden]


def test_an_import_that_fails_leaves_the_collector_on(tmp_path):
    (tmp_path / "keras.py").write_text("raise ImportError('no')\n")
    code = (
        "import gc\nfrom kilnworks.pipelines.cli.quiet import quiet_libraries\nquiet_libraries()\n"
        "try:\n    import keras\nexcept ImportError as error:\n    print(error, gc.isenabled())\n"
    )
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["no", "True"]


def test_notes_of_tensorflow_are_held_back_and_other_lines_pass(tmp_path):
    lines = "I0000 00:00:1 2 port.cc:153] oneDNN custom operations are on.", "something else"
    (tmp_path / "tensorflow.py").write_text(f"import os\nos.write(2, {(chr(10).join(lines) + chr(10)).encode()!r})\n")
    code = "from kilnworks.pipelines.cli.quiet import quiet_libraries\nquiet_libraries()\nimport tensorflow\n"
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == ["something else"]


def test_what_keras_imports_for_few_programs_runs_when_it_is_used(tmp_path):
    for package in ("keras", "matplotlib"):
        (tmp_path / package).mkdir()
    (tmp_path / "matplotlib" / "__init__.py").touch()
    (tmp_path / "matplotlib" / "pyplot.py").write_text("print('pyplot')\nVALUE = 1\n")
    (tmp_path / "keras" / "wrappers.py").write_text("print('wrappers')\nclass Wrapper: pass\n")
    (tmp_path / "keras" / "__init__.py").write_text(
        "try:\n    import matplotlib.pyplot as plt\nexcept ImportError:\n    plt = None\n"
        "from keras import wrappers as wrappers\nprint('keras')\n"
    )
    code = (
        "from kilnworks.pipelines.cli.quiet import quiet_libraries\nquiet_libraries()\nimport keras\n"
        "print(keras.plt.VALUE, keras.wrappers.Wrapper.__name__)\n"
    )
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["keras", "pyplot", "wrappers", "1", "Wrapper"]
