"""Sources of clean data for the fault catalogue: each can draw as many fresh rows as wanted.

Generated ones are made anew from a seed; real ones (bundled with scikit-learn, or in ``data/``) are cut in two, the
clean file from one part and every batch from the other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

DATA = Path(__file__).resolve().parents[2] / "data"
FIRST = ["Anna", "Björn", "Chloé", "David", "Eva", "François", "Grace", "Hüseyin", "Inés", "Jürgen", "Kim", "Łukasz"]
LAST = ["Smith", "Müller", "García", "Nowak", "Rossi", "Dubois", "Jensen", "Novák", "Costa", "O'Neill", "Lindström"]
WORDS = (
    "please deliver after work the parcel was late and box damaged thank you for quick answer customer "
    "asked about invoice twice wants refund gift wrapping leave at door ring bell second floor no "
    "signature needed very happy with service size too small colour differs from picture return label "
    "missing address changed urgent birthday"
)


@dataclass(frozen=True)
class Source:
    """A name, the label, and ``draw(rows, seed)``; seed 0 is the clean file, every other one a fresh batch.

    ``ordered``: the rows follow one another in time.
    """

    name: str
    label: str
    rows: int
    draw: Callable[[int, int], pd.DataFrame]
    ordered: bool = False


def orders(rows: int, seed: int) -> pd.DataFrame:
    """Orders of a shop: keys, dates, money that adds up, free text, heavy tails."""
    r = np.random.default_rng(1000 + seed)
    country = r.choice(["DE", "FR", "PL", "IT", "ES", "CZ"], rows, p=[0.35, 0.25, 0.15, 0.12, 0.08, 0.05])
    city = {"DE": "München", "FR": "Orléans", "PL": "Łódź", "IT": "Forlì", "ES": "Málaga", "CZ": "Plzeň"}
    ordered = pd.Timestamp("2024-01-01") + pd.to_timedelta(r.integers(0, 365 * 24, rows), unit="h")
    days = 1 + r.poisson(np.where(country == "DE", 2, 4))
    quantity = 1 + r.poisson(1.5, rows)
    price = np.round(np.exp(r.normal(3.2, 0.8, rows)), 2)
    discount = r.choice([0.0, 0.05, 0.1, 0.2], rows, p=[0.6, 0.2, 0.15, 0.05])
    weight = np.round(0.2 + quantity * np.exp(r.normal(-0.5, 0.5, rows)), 3)
    z = -1.6 + 0.25 * days + 3 * discount + 0.5 * (country == "FR") - 0.2 * quantity
    note = [
        " ".join(r.choice(WORDS.split(" "), k)) if k else None
        for k in r.choice([0, 3, 6, 9], rows, p=[0.5, 0.2, 0.2, 0.1])
    ]
    return pd.DataFrame(
        {
            "order_id": [f"ORD-{i:07d}" for i in r.permutation(rows) + seed * 100_000 + 1],
            "customer": r.zipf(1.7, rows).clip(max=400).astype(int) + 1000,
            "ordered_at": ordered,
            "shipped_on": (ordered + pd.to_timedelta(days, unit="D")).normalize(),
            "country": country,
            "city": [city[c] for c in country],
            "channel": r.choice(["web", "app", "store"], rows, p=[0.55, 0.35, 0.1]),
            "quantity": quantity,
            "unit_price": price,
            "discount": discount,
            "total": np.round(quantity * price * (1 - discount), 2),
            "weight_kg": np.where(r.random(rows) < 0.07, np.nan, weight),
            "express": np.where(r.random(rows) < 0.2, "yes", "no"),
            "note": note,
            "returned": np.where(r.random(rows) < 1 / (1 + np.exp(-z)), "yes", "no"),
        }
    )


def sensors(rows: int, seed: int) -> pd.DataFrame:
    """One machine, a row a minute, in order; each file goes on later than the clean one."""
    r = np.random.default_rng(2000 + seed)
    start = pd.Timestamp("2024-03-01") + pd.Timedelta(minutes=4000 + 500 * (seed % 7) if seed else 0)
    at = start + pd.to_timedelta(np.arange(rows), unit="min")
    drift = np.zeros(rows)
    for i in range(1, rows):
        drift[i] = 0.95 * drift[i - 1] + r.normal(0, 0.3)
    load = r.gamma(4, 10, rows)
    temperature = 60 + drift + 0.15 * load + r.normal(0, 0.4, rows)
    pressure = 2 + 0.01 * load + r.normal(0, 0.05, rows)
    vibration = np.exp(r.normal(-1, 0.5, rows))
    z = -4 + 0.05 * load + 1.5 * vibration
    return pd.DataFrame(
        {
            "measured_at": at.strftime("%Y-%m-%dT%H:%M:%S"),
            "plant": "north",
            "line": r.choice([1, 2, 3], rows),
            "temperature_c": np.round(temperature, 2),
            "pressure_bar": np.round(pressure, 3),
            "vibration": np.round(vibration, 4),
            "load_pct": np.round(load, 1),
            "rpm": np.round(1500 + 5 * load + r.normal(0, 20, rows)).astype(int),
            "mode": r.choice(["AUTO", "MANUAL", "IDLE"], rows, p=[0.8, 0.15, 0.05]),
            "alarm": (r.random(rows) < 1 / (1 + np.exp(-z))).astype(int),
        }
    )


def patients(rows: int, seed: int) -> pd.DataFrame:
    """Stays in a hospital: codes, true and false as text, derived numbers, very skewed charges."""
    r = np.random.default_rng(3000 + seed)
    age = np.clip(r.normal(58, 18, rows), 18, 99).round().astype(int)
    sex = r.choice(["female", "male"], rows)
    height = np.round(r.normal(np.where(sex == "male", 178, 165), 7), 1)
    weight = np.round(np.exp(r.normal(4.33, 0.17, rows)) + 0.3 * (height - 170), 1)
    systolic = np.round(r.normal(120 + 0.3 * (age - 50), 14)).astype(int)
    stay = 1 + r.negative_binomial(1.2, 0.25, rows)
    charges = np.round(stay * 800 * (1 + r.pareto(2.5, rows)), 2)
    z = -2.5 + 0.03 * (age - 50) + 0.15 * stay
    return pd.DataFrame(
        {
            "patient_no": r.choice(9_000_000, rows, replace=False) + 10_000_000 * (seed + 1),
            "name": [f"{a} {b}" for a, b in zip(r.choice(FIRST, rows), r.choice(LAST, rows), strict=True)],
            "age": age,
            "sex": sex,
            "height_cm": height,
            "weight_kg": weight,
            "bmi": np.round(weight / (height / 100) ** 2, 1),
            "systolic": systolic,
            "diastolic": np.minimum(np.round(0.5 * systolic + r.normal(20, 6, rows)), systolic - 10).astype(int),
            "smoker": r.choice(["True", "False"], rows, p=[0.25, 0.75]),
            "diagnosis": r.choice(["E11.9", "I10", "J45.0", "M54.5", "K21.0", "F32.1", "N39.0"], rows),
            "admitted": (pd.Timestamp("2023-01-01") + pd.to_timedelta(r.integers(0, 700, rows), unit="D")).strftime(
                "%d.%m.%Y"
            ),
            "stay_days": stay,
            "charges": charges,
            "lab": np.where(r.random(rows) < 0.15, np.nan, np.round(np.exp(r.normal(0.5, 0.6, rows)), 2)),
            "ward": r.choice([110, 120, 205, 310], rows, p=[0.4, 0.3, 0.2, 0.1]),
            "readmitted": (r.random(rows) < 1 / (1 + np.exp(-z))).astype(int),
        }
    )


def houses(rows: int, seed: int) -> pd.DataFrame:
    """Sales of houses: a number to be predicted, many levels, no key."""
    r = np.random.default_rng(4000 + seed)
    zipped = r.zipf(1.4, rows).clip(max=300)
    area = np.round(np.exp(r.normal(4.7, 0.35, rows))).astype(int)
    rooms = np.clip(np.round(area / 28 + r.normal(0, 0.8, rows)), 1, 12).astype(int)
    built = np.round(2015 - r.gamma(2, 18, rows)).astype(int)
    land = area + np.round(np.exp(r.normal(5, 0.9, rows))).astype(int)
    effect = np.random.default_rng(5).normal(0, 0.25, 301)[zipped]
    price = np.exp(11 + 0.75 * np.log(area / 100) + effect + 0.004 * (built - 1980) + r.normal(0, 0.2, rows))
    return pd.DataFrame(
        {
            "zip": [f"{10000 + 37 * z:05d}" for z in zipped],
            "type": r.choice(["detached", "semi", "terraced", "flat"], rows, p=[0.3, 0.2, 0.2, 0.3]),
            "area_m2": area,
            "land_m2": land,
            "rooms": rooms,
            "built": built,
            "heating": r.choice(["gas", "oil", "heat pump", None], rows, p=[0.5, 0.2, 0.2, 0.1]),
            "energy": r.choice(list("ABCDEFG"), rows, p=[0.05, 0.1, 0.2, 0.25, 0.2, 0.12, 0.08]),
            "distance_km": np.round(r.gamma(1.5, 6, rows), 2),
            "garage": r.integers(0, 2, rows),
            "sold_on": (pd.Timestamp("2022-06-01") + pd.to_timedelta(r.integers(0, 900, rows), unit="D")).strftime(
                "%Y-%m-%d"
            ),
            "price": np.round(price, -2).astype(int),
        }
    )


def _split(frame: pd.DataFrame, rows: int, seed: int) -> pd.DataFrame:
    order = np.random.default_rng(0).permutation(len(frame))
    half = len(frame) // 2
    pool = order[:half] if seed == 0 else order[half:]
    chosen = pool if seed == 0 else np.random.default_rng(seed).permutation(pool)[:rows]
    found = frame.iloc[chosen].reset_index(drop=True)
    return found


def breast_cancer(rows: int, seed: int) -> pd.DataFrame:
    """Thirty correlated measurements of cells, 569 rows (bundled with scikit-learn)."""
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer(as_frame=True)
    return _split(found.frame.rename(columns=lambda c: c.replace(" ", "_")), rows, seed)


def diabetes(rows: int, seed: int) -> pd.DataFrame:
    """Ten measurements and a number to be predicted, 442 rows (bundled with scikit-learn)."""
    from sklearn.datasets import load_diabetes

    return _split(load_diabetes(as_frame=True, scaled=False).frame, rows, seed)


def churn(rows: int, seed: int) -> pd.DataFrame:
    """Customers of a telephone company (``data/churn.csv``)."""
    return _split(pd.read_csv(DATA / "churn.csv"), rows, seed)


SOURCES: tuple[Source, ...] = (
    Source("orders", "returned", 4000, orders),
    Source("sensors", "alarm", 4000, sensors, ordered=True),
    Source("patients", "readmitted", 3000, patients),
    Source("houses", "price", 5000, houses),
    Source("breast_cancer", "target", 284, breast_cancer),
    Source("diabetes", "target", 221, diabetes),
)
"""Every source that needs no other file."""


def sources() -> tuple[Source, ...]:
    """All sources that can be drawn from here."""
    if not (DATA / "churn.csv").is_file():
        return SOURCES
    label = next(c for c in pd.read_csv(DATA / "churn.csv", nrows=1).columns if c.lower() == "churn")
    return (*SOURCES, Source("churn", label, 3500, churn))
