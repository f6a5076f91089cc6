"""The models that ``bench.first_model`` holds ours against, untuned, each for what it is usual for."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

SIDE = 16
"""Longest side of the images whose pixels are columns of boosting."""
TEXT_PARTS = 100
"""Components of word counts that are columns of boosting."""


@dataclass(frozen=True)
class Answers:
    """Values [N] of a regression, or probabilities [N, K] in the order of the sorted classes."""

    boosting: np.ndarray
    linear: np.ndarray


def of_tables(x: pd.DataFrame, y: pd.Series, z: pd.DataFrame, regression: bool) -> Answers:
    """Gradient boosting with early stopping, and ridge or logistic regression, both with dates taken apart."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    x, z = _apart(x), _apart(z)
    numbers = [c for c in x if x[c].dtype.kind in "iufb"]
    texts = [c for c in x if c not in numbers]
    coded, coded_z = x.copy(), z.copy()
    for c in texts:
        known = pd.Index(x[c].dropna().unique())
        coded[c], coded_z[c] = known.get_indexer(x[c]), known.get_indexer(z[c])
    few = [c in texts and coded[c].nunique() < 255 for c in coded]
    prepared = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore"), texts),
    )
    if regression:
        trees = HistGradientBoostingRegressor(categorical_features=few, early_stopping=True, random_state=0)
        line = make_pipeline(prepared, Ridge())
        return Answers(trees.fit(coded, y).predict(coded_z), line.fit(x, y).predict(z))
    trees = HistGradientBoostingClassifier(categorical_features=few, early_stopping=True, random_state=0)
    line = make_pipeline(prepared, LogisticRegression(max_iter=500))
    return Answers(trees.fit(coded, y).predict_proba(coded_z), line.fit(x, y).predict_proba(z))


def of_texts(x: pd.DataFrame, y: pd.Series, z: pd.DataFrame) -> Answers:
    """Logistic regression on weighed counts of words and pairs of words, and boosting on their components."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    joined, joined_z = (frame.fillna("").agg("\n".join, axis=1) for frame in (x, z))
    counted = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    a = counted.fit_transform(joined)
    b = counted.transform(joined_z)
    parts = TruncatedSVD(TEXT_PARTS, random_state=0)
    trees = HistGradientBoostingClassifier(early_stopping=True, random_state=0).fit(parts.fit_transform(a), y)
    line = LogisticRegression(C=10, max_iter=500).fit(a, y)
    return Answers(trees.predict_proba(parts.transform(b)), line.predict_proba(b))


def of_images(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Answers:
    """Boosting on pixels, and a support vector machine on histograms of oriented gradients, of [N, H, W] uint8.

    The histograms are those of Dalal & Triggs (2005); kernel RBF, C by folds, probabilities calibrated by folds. It
    stands in the place of the linear model. Images below 16 pixels a side have no cells: there it is a logistic
    regression on pixels.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import SVC

    trees = HistGradientBoostingClassifier(early_stopping=True, random_state=0)
    boosting = trees.fit(_shrunk(x), y).predict_proba(_shrunk(z))
    if min(x.shape[1:]) < SIDE:
        flat, flat_z = (part.reshape(len(part), -1) / 255.0 for part in (x, z))
        return Answers(boosting, LogisticRegression(max_iter=500).fit(flat, y).predict_proba(flat_z))
    found, found_z = _histograms(x), _histograms(z)
    search = GridSearchCV(SVC(), {"C": [1, 3, 10]}, cv=3, scoring="f1_macro").fit(found, y)
    machine = CalibratedClassifierCV(search.best_estimator_, cv=5, ensemble=False).fit(found, y)
    return Answers(boosting, machine.predict_proba(found_z))


def _shrunk(images: np.ndarray) -> np.ndarray:
    """Means over squares, so that no side is longer than ``SIDE``, as rows."""
    by = max(1, -(-max(images.shape[1:]) // SIDE))
    height, width = (side // by for side in images.shape[1:])
    cut = images[:, : height * by, : width * by].astype(np.float32)
    return cut.reshape(len(cut), height, by, width, by).mean(axis=(2, 4)).reshape(len(cut), -1)


def _histograms(images: np.ndarray) -> np.ndarray:
    """Of the layer whose tests hold it against a loop."""
    from kilnworks.components.modeling.images.gradients import OrientedGradients

    layer = OrientedGradients(max(2, min(images.shape[1:]) // 8))
    pixels = (images / np.float32(255))[..., None]
    return np.concatenate([np.asarray(layer(pixels[i : i + 256])) for i in range(0, len(pixels), 256)])


def _apart(frame: pd.DataFrame) -> pd.DataFrame:
    """Dates as seconds, hour, day of the week and month."""
    frame = frame.copy()
    for c in [c for c in frame if frame[c].dtype == object and str(frame[c].iloc[0])[:2] in ("19", "20")]:
        moments = pd.to_datetime(frame.pop(c), errors="coerce")
        frame[c] = (moments - pd.Timestamp(0)).dt.total_seconds()
        frame[f"{c} hour"], frame[f"{c} day"] = moments.dt.hour, moments.dt.day_of_week
        frame[f"{c} month"] = moments.dt.month
    return frame
