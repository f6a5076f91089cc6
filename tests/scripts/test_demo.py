"""``make demo`` is what a new user calls first."""

import os
import re
import subprocess
import sys

import pytest

from tests.test_layers import ROOT


@pytest.mark.slow
def test_the_demo_ends_with_the_metrics_and_a_prediction(tmp_path):
    done = subprocess.run(
        [sys.executable, "scripts/demo.py"],
        cwd=ROOT,
        env={**os.environ, "KILNWORKS_STORE": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    told = re.search(r"prediction +(Yes|No)  \(No (0\.\d{3}), Yes (0\.\d{3})\)", done.stdout)
    assert told, done.stdout[-2000:]
    assert float(told[2]) + float(told[3]) == pytest.approx(1, abs=0.002)
    assert (told[1] == "Yes") == (float(told[3]) > 0.5)
    assert re.search(r"auc +0\.8\d+  \(95 % interval", done.stdout)
