"""Fixed-seed mixed-type data for binary classification: will this customer churn.

12 feature columns (7 numeric, 5 categorical, 4 with missing values) + `label`.
usage: python generate.py OUTDIR    -> small_{train,eval}, big_{train,eval} as .csv and .parquet
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd


def make(n, seed):
    # tables that must be identical for every split come from a fixed seed; rows from `seed`
    w = np.random.default_rng(7)
    occ_eff, mer_eff = w.normal(0, 0.5, 40), w.normal(0, 0.6, 2000)
    reg_eff, prod_eff = w.normal(0, 0.4, 12), w.normal(0, 0.5, 6)
    r = np.random.default_rng(seed)
    age = np.clip(r.normal(43, 14, n), 18, 95).round().astype("int64")
    tenure = r.gamma(2.0, 18.0, n).round().astype("int64")
    income = np.exp(r.normal(10.4, 0.6, n) + 0.004 * (age - 43)).round(2)
    balance = (r.standard_t(4, n) * 1800 + 1500 + 0.02 * income).round(2)
    util = r.beta(1.6, 3.2, n).round(4)
    ntx = r.poisson(14, n).astype("int64")
    hour = r.choice(
        24, n, p=np.array([1, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 9, 9, 8, 8, 8, 8, 9, 9, 8, 6, 4, 3, 2]) / 134
    ).astype("int64")
    region, product = r.integers(0, 12, n), r.choice(6, n, p=[0.35, 0.25, 0.15, 0.12, 0.08, 0.05])
    channel = r.choice(4, n, p=[0.5, 0.25, 0.2, 0.05])
    occ = r.integers(0, 40, n)
    p = 1 / np.arange(1, 2001) ** 0.9
    p /= p.sum()
    mer = r.choice(2000, n, p=p)
    z = (
        -0.9
        + 2.2 * (util - 0.33)
        - 0.012 * tenure
        + 0.5 * np.log1p(ntx / 14)
        - 0.35 * (np.log(income) - 10.4)
        + 0.0009 * np.abs(age - 43) ** 1.6
        + 0.45 * np.sin(hour / 24 * 2 * np.pi) * (channel == 1)
        + reg_eff[region]
        + prod_eff[product] * (1 + (util > 0.5))
        + occ_eff[occ]
        + mer_eff[mer]
        - 0.8 * np.tanh(balance / 4000)
    )
    label = (r.random(n) < 1 / (1 + np.exp(-1.4 * z))).astype("int64")
    df = pd.DataFrame(
        {
            "age": age,
            "income": income,
            "tenure_months": tenure,
            "balance": balance,
            "utilization": util,
            "num_tx": ntx,
            "hour": hour,
            "region": np.array([f"R{i:02d}" for i in range(12)])[region],
            "occupation": np.array([f"occ_{i:02d}" for i in range(40)])[occ],
            "product": np.array(["basic", "plus", "gold", "student", "business", "private"])[product],
            "channel": np.array(["app", "web", "branch", "phone"])[channel],
            "merchant": np.array([f"m{i:04d}" for i in range(2000)])[mer],
            "label": label,
        }
    )
    df.loc[r.random(n) < 0.06, "income"] = np.nan
    df.loc[r.random(n) < 0.03, "utilization"] = np.nan
    df.loc[r.random(n) < 0.02, "balance"] = np.nan
    df.loc[r.random(n) < 0.04, "occupation"] = None
    return df


if __name__ == "__main__":
    out = sys.argv[1]
    Path(out).mkdir(parents=True, exist_ok=True)
    for name, n, seed in [
        ("small_train", 10_000, 11),
        ("small_eval", 2_000, 12),
        ("big_train", 1_000_000, 21),
        ("big_eval", 100_000, 22),
    ]:
        df = make(n, seed)
        df.to_csv(f"{out}/{name}.csv", index=False)
        df.to_parquet(f"{out}/{name}.parquet", index=False)
        print(name, df.shape, "pos", round(df.label.mean(), 4), "missing", int(df.isna().sum().sum()))
