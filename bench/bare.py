"""The bare script to be measured against: ingest, validate, preprocess, train, evaluate, export by hand.

No TensorFlow import at module level: only train, evaluate and export need it. $SEED sets the seed (0).
usage: python bare.py DATA_DIR {small|big} OUT_DIR   (data made by generate.py)
"""

import contextlib
import json
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd

NUM = ["age", "income", "tenure_months", "balance", "utilization", "num_tx", "hour"]
CAT = ["region", "occupation", "product", "channel", "merchant"]
NULLABLE = ["income", "balance", "utilization", "occupation"]
SCHEMA = {  # range / domain / completeness expectations
    "age": (18, 95),
    "income": (0, None),
    "tenure_months": (0, None),
    "balance": (None, None),
    "utilization": (0, 1),
    "num_tx": (0, None),
    "hour": (0, 23),
    "region": [f"R{i:02d}" for i in range(12)],
    "product": ["basic", "plus", "gold", "student", "business", "private"],
    "channel": ["app", "web", "branch", "phone"],
    "label": [0, 1],
}
MAX_MISSING = 0.10


@contextlib.contextmanager
def timed(stage):
    t = time.time()
    yield
    log = os.environ.get("STAGE_LOG")
    if log:
        with Path(log).open("a") as f:
            f.write(json.dumps({"stage": stage, "s": round(time.time() - t, 3)}) + "\n")


def ingest(train_csv, eval_csv):
    with timed("ingest"):
        return pd.read_csv(train_csv), pd.read_csv(eval_csv)


def statistics(df):
    out = {}
    for c in NUM:
        s = df[c]
        out[c] = {
            "missing": int(s.isna().sum()),
            "mean": float(s.mean()),
            "std": float(s.std()),
            "min": float(s.min()),
            "max": float(s.max()),
            "quantiles": s.quantile(np.linspace(0, 1, 11)).tolist(),
            "hist": np.histogram(s.dropna(), bins=10)[0].tolist(),
        }
    for c in CAT:
        vc = df[c].value_counts()
        out[c] = {"missing": int(df[c].isna().sum()), "unique": len(vc), "top": vc.head(10).to_dict()}
    return out


def check(df):
    bad = []
    for c, rule in SCHEMA.items():
        s = df[c].dropna()
        if isinstance(rule, tuple):
            lo, hi = rule
            n = int(((s < lo) if lo is not None else 0 * s).sum() + ((s > hi) if hi is not None else 0 * s).sum())
        else:
            n = int((~s.isin(rule)).sum())
        if n:
            bad.append((c, "domain", n))
    for c in NUM + CAT + ["label"]:
        miss = df[c].isna().mean()
        if miss > (MAX_MISSING if c in NULLABLE else 0):
            bad.append((c, "missing", float(miss)))
    return bad


def validate(train, evald):
    with timed("validate"):
        rep = {"train": statistics(train), "eval": statistics(evald), "anomalies": check(train) + check(evald)}
        if rep["anomalies"]:
            raise ValueError(rep["anomalies"])
        return rep


def fit_state(df):
    return {
        "mean": [float(df[c].mean()) for c in NUM],
        "std": [float(df[c].std(ddof=0)) for c in NUM],
        "vocab": {c: df[c].dropna().value_counts().index.tolist() for c in CAT},
    }


def encode(df, st):
    num = df[NUM].to_numpy("float32", copy=True)
    miss = np.isnan(num)
    num = (num - np.float32(st["mean"])) / np.float32(st["std"])
    num[miss] = 0
    flags = miss[:, [NUM.index(c) for c in NULLABLE if c in NUM]].astype("float32")
    cat = np.stack([pd.Categorical(df[c], categories=st["vocab"][c]).codes.astype("int32") + 1 for c in CAT], 1)
    return np.concatenate([num, flags], 1), cat  # 0 = missing or out of vocabulary


def preprocess(train, evald):
    with timed("preprocess"):
        st = fit_state(train)
        (xn, xc), (en, ec) = encode(train, st), encode(evald, st)
        return (
            st,
            {"num": xn, "cat": xc, "y": train.label.to_numpy("float32")},
            {"num": en, "cat": ec, "y": evald.label.to_numpy("float32")},
        )


def build(st, n_num):
    import keras

    keras.utils.set_random_seed(int(os.environ.get("SEED", "0")))
    i_num, i_cat = keras.Input((n_num,), name="num"), keras.Input((len(CAT),), dtype="int32", name="cat")
    emb = [keras.layers.Embedding(len(st["vocab"][c]) + 1, 8, name=f"emb_{c}")(i_cat[:, i]) for i, c in enumerate(CAT)]
    x = keras.layers.Concatenate()([i_num, *emb])
    for _ in range(2):
        x = keras.layers.Dense(64, activation="relu")(x)
    m = keras.Model([i_num, i_cat], keras.layers.Dense(1, activation="sigmoid")(x))
    m.compile("adam", "binary_crossentropy", metrics=["accuracy", keras.metrics.AUC(name="auc")])
    return m


def train(st, tr, out):
    with timed("train"):
        m = build(st, tr["num"].shape[1])
        m.fit({"num": tr["num"], "cat": tr["cat"]}, tr["y"], batch_size=512, epochs=2, verbose=2)
        Path(out).mkdir(parents=True, exist_ok=True)
        path = f"{out}/model.keras"
        m.save(path)
        return path


def evaluate(model_path, ev):
    with timed("evaluate"):
        import keras

        m = keras.models.load_model(model_path)
        r = m.evaluate({"num": ev["num"], "cat": ev["cat"]}, ev["y"], batch_size=4096, verbose=0, return_dict=True)
        return {k: float(v) for k, v in r.items()}


def export(model_path, st, sample, out):
    """SavedModel taking the raw columns; checks that it gives the pipeline's own answer on `sample` rows."""
    with timed("export"):
        import keras
        import tensorflow as tf

        m = keras.models.load_model(model_path)

        class Serving(tf.Module):
            def __init__(self):
                self.m = m
                self.tables = {
                    c: tf.lookup.StaticHashTable(
                        tf.lookup.KeyValueTensorInitializer(
                            tf.constant(st["vocab"][c]), tf.range(1, len(st["vocab"][c]) + 1, dtype=tf.int64)
                        ),
                        0,
                    )
                    for c in CAT
                }

            @tf.function(
                input_signature=[
                    {
                        **{c: tf.TensorSpec([None], tf.float32, name=c) for c in NUM},
                        **{c: tf.TensorSpec([None], tf.string, name=c) for c in CAT},
                    }
                ]
            )
            def serve(self, f):
                num = tf.stack([f[c] for c in NUM], 1)
                miss = tf.math.is_nan(num)
                num = tf.where(miss, 0.0, (num - tf.constant(st["mean"])) / tf.constant(st["std"]))
                fl = tf.cast(tf.gather(miss, [NUM.index(c) for c in NULLABLE if c in NUM], axis=1), tf.float32)
                cat = tf.cast(tf.stack([self.tables[c].lookup(f[c]) for c in CAT], 1), tf.int32)
                return {"probability": self.m({"num": tf.concat([num, fl], 1), "cat": cat})[:, 0]}

        sv = Serving()
        dst = f"{out}/serving/1"
        tf.saved_model.save(sv, dst, signatures={"serving_default": sv.serve})
        fn = tf.saved_model.load(dst).signatures["serving_default"]
        got = fn(
            **{c: tf.constant(sample[c].to_numpy("float32")) for c in NUM},
            **{c: tf.constant(sample[c].fillna("").astype(str).to_list()) for c in CAT},
        )["probability"].numpy()
        xn, xc = encode(sample, st)
        want = m.predict({"num": xn, "cat": xc}, verbose=0)[:, 0]
        assert np.abs(got - want).max() < 1e-4, np.abs(got - want).max()
        return dst


if __name__ == "__main__":
    import sys

    data, size, out = sys.argv[1:4]
    tr, ev = ingest(f"{data}/{size}_train.csv", f"{data}/{size}_eval.csv")
    validate(tr, ev)
    st, xtr, xev = preprocess(tr, ev)
    m = train(st, xtr, out)
    print(json.dumps(evaluate(m, xev)))
    print(export(m, st, ev.head(1000), out))
