"""``make demo`` is what a new user calls first."""

import re

import pytest
from rich.console import Console

from scripts import demo
from tests import preloaded


@pytest.mark.slow
def test_the_demo_ends_with_the_metrics_and_a_prediction(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(demo, "STORE", tmp_path)
    monkeypatch.setattr(demo, "COMMAND", [*preloaded.python(), *demo.COMMAND[1:]])
    monkeypatch.setattr(demo, "SAY", Console(highlight=False, width=200))
    code = demo.main()
    said = capfd.readouterr().out
    assert code == 0, said[-2000:]
    told = re.search(r"prediction +(Yes|No)  \(No (0\.\d{3}), Yes (0\.\d{3})\)", said)
    assert told, said[-2000:]
    assert float(told[2]) + float(told[3]) == pytest.approx(1, abs=0.002)
    assert (told[1] == "Yes") == (float(told[3]) > 0.5)
    assert re.search(r"auc +0\.8\d+  \(95 % interval", said)
