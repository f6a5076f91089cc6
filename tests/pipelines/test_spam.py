"""The full result of ``spam``, beside scikit-learn on the same split, and no copies across its splits."""

import json

import polars as pl
import pytest

from kilnworks.pipelines.core.chains import ROOT
from kilnworks.pipelines.core.execute import run_all
from kilnworks.pipelines.core.store import Store
from kilnworks.pipelines.spam import SPAM


def test_no_two_mails_have_the_same_letters():
    mails = pl.read_parquet(ROOT / "data/mails.parquet")
    letters = (mails["subject"] + mails["body"]).str.to_lowercase().str.replace_all(r"[^\p{L}]", "")
    assert letters.n_unique() == mails.height == 5837
    assert not mails["body"].str.contains(r"[\w.]+@[\w.]+\.\w+").any()


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_the_full_result(tmp_path):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    run = Store(tmp_path).run("spam", "one")
    run.begin("test", {})
    run_all(SPAM, run)
    found = json.loads((run.step_path("evaluation") / "evaluation.json").read_text())["metrics"]["accuracy"]
    train, test = (pl.read_parquet(run.step_path("examples") / split / "*.parquet") for split in ("train", "test"))
    texts = [(part["subject"].fill_null("") + " " + part["body"].fill_null("")).to_list() for part in (train, test)]
    vectorizer = TfidfVectorizer()
    linear = LogisticRegression(C=10, max_iter=1000).fit(vectorizer.fit_transform(texts[0]), train["kind"].to_list())
    reference = linear.score(vectorizer.transform(texts[1]), test["kind"].to_list())
    assert found["value"] >= 0.98
    assert found["value"] > reference
