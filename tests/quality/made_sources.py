"""More sources of clean data, made from a seed: few rows and many, keys or none, texts, streams, rare labels."""

import numpy as np
import pandas as pd

from tests.quality.clean_sources import FIRST, LAST, WORDS, Source, sources


def members(rows: int, seed: int) -> pd.DataFrame:
    """A club: few rows, no key, no dates."""
    r = np.random.default_rng(6000 + seed)
    age = np.clip(r.normal(41, 13, rows), 16, 88).round().astype(int)
    plan = r.choice(["basic", "plus", "family"], rows, p=[0.55, 0.3, 0.15])
    fee = np.round(np.select([plan == "basic", plan == "plus"], [19.9, 29.9], 49.9) * r.choice([1, 0.9], rows), 2)
    visits = r.poisson(np.where(plan == "plus", 9, 5))
    z = 0.3 - 0.25 * visits + 0.03 * fee
    return pd.DataFrame(
        {
            "age": age,
            "sex": r.choice(["f", "m"], rows),
            "plan": plan,
            "fee": fee,
            "visits": visits,
            "minutes": np.round(visits * r.gamma(8, 7, rows), 1),
            "bmi": np.where(r.random(rows) < 0.1, np.nan, np.round(r.normal(25.5, 3.8, rows), 1)),
            "town": r.choice(["Aston", "Bree", "Colne", "Dover"], rows, p=[0.4, 0.3, 0.2, 0.1]),
            "left": (r.random(rows) < 1 / (1 + np.exp(-z))).astype(int),
        }
    )


def payments(rows: int, seed: int) -> pd.DataFrame:
    """Payments by card: many rows, thousands of merchants, heavy tails, one fraud in a hundred and fifty."""
    r = np.random.default_rng(7000 + seed)
    fixed = np.random.default_rng(7)
    merchant = np.minimum(r.zipf(1.5, rows), 3000) - 1
    kind = fixed.choice(["food", "fuel", "travel", "home", "games"], 3000)[merchant]
    scale = fixed.normal(3, 0.8, 3000)[merchant]
    amount = np.round(np.exp(scale + r.normal(0, 0.7, rows)), 2)
    paid = pd.Timestamp("2025-01-01") + pd.to_timedelta(r.integers(0, 90 * 86400, rows), unit="s")
    hour = paid.hour.to_numpy()
    foreign = r.random(rows) < 0.06
    z = -6.5 + 0.35 * np.log(amount) + 1.8 * foreign + 0.9 * (hour < 5)
    return pd.DataFrame(
        {
            "payment_id": [f"{seed:03d}-{i:08x}" for i in r.choice(2**31, rows, replace=False)],
            "card": r.integers(10**6, 10**6 + 20_000, rows),
            "paid_at": paid,
            "merchant": [f"M{m:04d}" for m in merchant],
            "kind": kind,
            "amount": amount,
            "fee": np.round(0.25 + 0.014 * amount, 2),
            "abroad": np.where(foreign, "Y", "N"),
            "entry": r.choice(["chip", "tap", "online", "swipe"], rows, p=[0.3, 0.45, 0.22, 0.03]),
            "tries": 1 + r.binomial(3, 0.03, rows),
            "balance": np.round(r.standard_t(4, rows) * 900 + 2500, 2),
            "fraud": (r.random(rows) < 1 / (1 + np.exp(-z))).astype(int),
        }
    )


def visits(rows: int, seed: int) -> pd.DataFrame:
    """Requests to a web site in the order of arrival, at irregular moments; each file goes on later."""
    r = np.random.default_rng(8000 + seed)
    start = pd.Timestamp("2025-02-03") + pd.Timedelta(hours=60 + 2 * (seed % 30) if seed else 0)
    at = start + pd.to_timedelta(np.cumsum(r.exponential(25, rows)).round(), unit="s")
    pages = r.choice(["/", "/search", "/item", "/cart", "/help"], rows, p=[0.3, 0.25, 0.3, 0.1, 0.05])
    size = np.round(np.exp(r.normal(np.where(pages == "/item", 10, 9), 0.4, rows))).astype(int)
    took = np.round(np.exp(r.normal(4.2, 0.5, rows)) + size / 4000, 1)
    status = r.choice([200, 304, 404, 500], rows, p=[0.86, 0.09, 0.04, 0.01])
    z = -2.5 + 1.2 * (pages == "/cart") - 0.004 * took
    return pd.DataFrame(
        {
            "measured_at": at.strftime("%Y-%m-%dT%H:%M:%S"),
            "page": pages,
            "status": status,
            "bytes": size,
            "took_ms": took,
            "agent": r.choice(["phone", "desktop", "tablet", "robot"], rows, p=[0.5, 0.35, 0.08, 0.07]),
            "country": r.choice(["AT", "BE", "CH", "DK", "EE", "FI"], rows, p=[0.3, 0.2, 0.2, 0.15, 0.1, 0.05]),
            "depth": r.geometric(0.4, rows),
            "bought": np.where(r.random(rows) < 1 / (1 + np.exp(-z)), "yes", "no"),
        }
    )


def reviews(rows: int, seed: int) -> pd.DataFrame:
    """Reviews: free text, addresses, codes with leading zeros, stars, four classes."""
    r = np.random.default_rng(9000 + seed)
    words = np.array(WORDS.split(" "))
    stars = r.choice([1, 2, 3, 4, 5], rows, p=[0.1, 0.08, 0.15, 0.3, 0.37])
    first, last = r.choice(FIRST, rows), r.choice(LAST, rows)
    hosts = r.choice(["example.org", "mail.example", "post.example"], rows, p=[0.6, 0.3, 0.1])
    helpful = r.poisson(3 + (stars < 3) * 4)
    weight = np.stack([stars == 5, stars >= 4, stars == 3, stars <= 2], axis=1) + 0.3
    pick = (r.random((rows, 1)) > np.cumsum(weight / weight.sum(axis=1, keepdims=True), axis=1)).sum(axis=1)
    return pd.DataFrame(
        {
            "review_id": r.choice(10**8, rows, replace=False) + seed * 10**8,
            "sold_on": (pd.Timestamp("2024-01-01") + pd.to_timedelta(r.integers(0, 300, rows), unit="D")).strftime(
                "%Y-%m-%d"
            ),
            "name": [f"{a} {b}" for a, b in zip(first, last, strict=True)],
            "email": [f"{a[:3].lower()}{r.integers(1, 999)}@{h}" for a, h in zip(first, hosts, strict=True)],
            "shop": [f"{s:05d}" for s in r.integers(1, 400, rows) * 7],
            "stars": stars,
            "helpful": helpful,
            "length_cm": np.round(r.normal(31, 6, rows), 1),
            "review": [" ".join(r.choice(words, k)).capitalize() + "." for k in 3 + r.poisson(9, rows)],
            "verified": r.choice([True, False], rows, p=[0.8, 0.2]),
            "outcome": np.array(["keep", "reward", "ask", "refund"])[np.minimum(pick, 3)],
        }
    )


def flats(rows: int, seed: int) -> pd.DataFrame:
    """Rents: a skewed number to be predicted, shares, percentages, ordered codes, tied columns."""
    r = np.random.default_rng(11000 + seed)
    area = np.round(np.exp(r.normal(4.1, 0.4, rows)), 1)
    rooms = np.clip(np.round(area / 26 + r.normal(0, 0.6, rows)), 1, 8).astype(int)
    floor = r.integers(0, 9, rows)
    score = np.clip(np.round(r.beta(5, 2, rows) * 100), 0, 100).astype(int)
    quarter = r.choice(["north", "south", "east", "west", "centre"], rows, p=[0.25, 0.2, 0.2, 0.2, 0.15])
    heating = np.round(area * r.normal(1.4, 0.15, rows), 2)
    rent = np.exp(2.9 + 0.9 * np.log(area) + 0.25 * (quarter == "centre") + 0.003 * score + r.normal(0, 0.15, rows))
    return pd.DataFrame(
        {
            "area_m2": area,
            "rooms": rooms,
            "floor": floor,
            "score_pct": score,
            "shade": np.round(r.beta(2, 5, rows), 3),
            "quarter": quarter,
            "heating": heating,
            "extras": np.where(r.random(rows) < 0.6, 0.0, np.round(r.gamma(2, 30, rows), 2)),
            "state": r.choice(["good", "fair", "poor", None], rows, p=[0.5, 0.3, 0.15, 0.05]),
            "lift": r.choice(["yes", "no"], rows),
            "rent": np.round(rent, 2),
        }
    )


def stores(rows: int, seed: int) -> pd.DataFrame:
    """Thirty shops day by day: a row for each shop and day, sorted by day; each file is a later stretch."""
    r = np.random.default_rng(12000 + seed)
    fixed = np.random.default_rng(12)
    days = max(rows // 30, 1)
    start = pd.Timestamp("2024-01-01") + pd.Timedelta(days=100 + 7 * (seed % 9) if seed else 0)
    day = np.repeat(np.arange(days), 30)
    shop = np.tile(np.arange(30), days)
    when = start + pd.to_timedelta(day, unit="D")
    weekday = when.day_of_week.to_numpy()
    guests = r.poisson(np.exp(fixed.normal(4, 0.5, 30))[shop] * np.where(weekday >= 5, 1.6, 1.0))
    sales = np.round(guests * r.gamma(30, 0.4, guests.size), 2)
    return pd.DataFrame(
        {
            "sold_on": when.strftime("%Y-%m-%d"),
            "store": [f"S{s:02d}" for s in shop],
            "region": np.array(["A", "B", "C"])[shop % 3],
            "guests": guests,
            "sales": sales,
            "staff": np.maximum(2, np.round(guests / 20 + r.normal(0, 0.7, guests.size))).astype(int),
            "promo": r.choice(["none", "flyer", "radio"], guests.size, p=[0.8, 0.15, 0.05]),
            "degrees": np.round(r.normal(14, 5, days)[day] + r.normal(0, 1.5, guests.size), 1),
            "sold_out": (r.random(guests.size) < 1 / (1 + np.exp(3 - 0.02 * guests))).astype(int),
        }
    )


def wide(rows: int, seed: int) -> pd.DataFrame:
    """Sixty measurements driven by five hidden causes, three classes."""
    r = np.random.default_rng(13000 + seed)
    load = np.random.default_rng(13).normal(0, 1, (5, 60))
    hidden = r.normal(0, 1, (rows, 5))
    values = np.round(hidden @ load + r.normal(0, 1.2, (rows, 60)), 3) * 10.0 ** (np.arange(60) % 4)
    frame = pd.DataFrame(np.round(values, 3), columns=[f"m{i:02d}" for i in range(60)])
    score = hidden[:, 0] + 0.5 * hidden[:, 1] + r.normal(0, 0.5, rows)
    return frame.assign(grade=np.select([score < -0.5, score < 0.8], ["low", "middle"], "high"))


MADE: tuple[Source, ...] = (
    Source("members", "left", 300, members),
    Source("payments", "fraud", 50_000, payments),
    Source("visits", "bought", 8000, visits, ordered=True),
    Source("reviews", "outcome", 3000, reviews),
    Source("flats", "rent", 2000, flats),
    Source("stores", "sold_out", 3000, stores, ordered=True),
    Source("wide", "grade", 3000, wide),
)
"""Sources that the tests of the checks were not written on."""


def all_sources() -> tuple[Source, ...]:
    """Those and all others."""
    return (*sources(), *MADE)
