"""People: customers, patients, pupils, members, whose numbers, ages and tenures grow."""

import numpy as np
import pandas as pd

from tests.quality.next_kinds.kind import Rng, Series, by_year, kind, moments, odds, season


@kind
def subscribers(r: Rng) -> Series:
    """Subscribers at the end of each month: age and tenure of each grow, some leave, new ones come."""
    rows = []
    born, joined = (
        r.normal(1980, 12, 400),
        np.where(r.random(400) < 0.5, r.integers(-60, 0, 400), r.integers(0, 24, 400)),
    )
    for month in range(24):
        here = np.flatnonzero(joined <= month)
        rows.append(pd.DataFrame({"month": month, "who": here, "tenure": month - joined[here]}))
    frame = pd.concat(rows, ignore_index=True)
    at = pd.Series(pd.Timestamp("2024-01-31") + pd.to_timedelta(frame["month"] * 30.4, unit="D")).dt.normalize()
    plan = r.choice(["basic", "plus"], 400)[frame["who"]]
    fee = np.where(plan == "basic", 9.9, 14.9)
    found = pd.DataFrame(
        {
            "as_of": at.dt.strftime("%Y-%m-%d"),
            "subscriber": frame["who"] + 5000,
            "age": (2024 + frame["month"] / 12 - born[frame["who"]]).astype(int),
            "tenure_months": frame["tenure"],
            "plan": plan,
            "paid_so_far": np.round(fee * (frame["tenure"] + 1), 2),
            "minutes": np.round(r.gamma(3, 60, len(frame))),
            "left": odds(r, -3 - 0.02 * frame["tenure"].to_numpy()),
        }
    )
    return by_year(found, at, "left")


@kind
def admissions(r: Rng) -> Series:
    """Stays in a hospital: numbers of patients grow, diagnoses follow the season, some have not left yet."""
    n = 3600
    at = moments(r, n, unit="min")
    cold = -season(at)
    diagnosis = np.where(r.random(n) < 0.2 + 0.12 * cold, "J18.9", r.choice(["I10", "S72.0", "K35.8", "E11.9"], n))
    stay = 1 + r.negative_binomial(1.2, 0.25, n)
    out = at + pd.to_timedelta(stay, unit="D")
    frame = pd.DataFrame(
        {
            "patient_no": 4_400_000 + np.cumsum(1 + r.poisson(2, n)),
            "admitted": at.dt.strftime("%Y-%m-%d %H:%M"),
            "discharged": out.dt.strftime("%Y-%m-%d %H:%M").where(r.random(n) > 0.05),
            "born": (pd.Timestamp("1962-01-01") + pd.to_timedelta(r.normal(0, 7000, n).round(), unit="D")).strftime(
                "%Y-%m-%d"
            ),
            "diagnosis": diagnosis,
            "stay_days": stay,
            "ward": r.choice(["A1", "A2", "B1"], n, p=[0.5, 0.3, 0.2]),
            "readmitted": odds(r, -2 + 0.1 * stay, "yes", "no"),
        }
    )
    return by_year(frame, at, "readmitted")


@kind
def pupils(r: Rng) -> Series:
    """Marks of two school years, written as 2023/24 and 2024/25, with the year of birth."""
    n = 2400
    later = np.arange(n) >= n // 2
    grade = r.integers(5, 13, n)
    hours = np.round(r.gamma(4, 2, n), 1)
    frame = pd.DataFrame(
        {
            "school_year": np.where(later, "2024/25", "2023/24"),
            "pupil": np.arange(n) + 1,
            "born": 2023 + later - grade - 6 - (r.random(n) < 0.2),
            "grade": grade,
            "hours": hours,
            "mark": np.clip(np.round(4.5 - 0.15 * hours + r.normal(0, 0.8, n), 1), 1, 6),
            "passed": odds(r, 0.2 * hours, "yes", "no"),
        }
    )
    return Series(frame, "passed", n // 2)


@kind
def web_accounts(r: Rng) -> Series:
    """Log-ins: when the account was made, when last seen, a running session number, a UUID, addresses."""
    n = 4000
    at = moments(r, n, "2024-01-01", 120, unit="s")
    member = (r.beta(1, 1.2, n) * (500 + np.arange(n) / 8)).astype(int)
    made = pd.Timestamp("2022-01-01") + pd.to_timedelta(member * 0.8, unit="D")
    frame = pd.DataFrame(
        {
            "session": 900_000 + np.cumsum(1 + r.poisson(1, n)),
            "request": [
                f"{a:08x}-{b:04x}" for a, b in zip(r.integers(0, 2**32, n), r.integers(0, 2**16, n), strict=True)
            ],
            "made_on": pd.Series(np.minimum(made.to_numpy(), at.to_numpy())).dt.strftime("%Y-%m-%d"),
            "seen_at": at.dt.strftime("%Y-%m-%d %H:%M:%S"),
            "user": [f"user{m}" for m in member],
            "days_old": ((at.to_numpy() - np.minimum(made.to_numpy(), at.to_numpy())) / np.timedelta64(1, "D")).astype(
                int
            ),
            "pages": r.geometric(0.2, n),
            "browser": r.choice(["Firefox", "Chrome", "Safari"], n, p=[0.2, 0.6, 0.2]),
            "bought": odds(r, r.normal(-1.5, 1, n), "yes", "no"),
        }
    )
    return by_year(frame, at, "bought", "2024-03-01")


@kind
def growing_site(r: Rng) -> Series:
    """A row a day: visits that grow by a third a year, and what follows from them."""
    at = pd.Series(pd.date_range("2024-01-01", "2025-12-31"))
    n = len(at)
    visits = r.poisson(1500 * 1.33 ** (np.arange(n) / 365) * np.where(at.dt.day_of_week >= 5, 0.7, 1.0))
    frame = pd.DataFrame(
        {
            "date": at.dt.strftime("%Y-%m-%d"),
            "visits": visits,
            "sign_ups": r.poisson(visits * 0.02),
            "members": 20_000 + np.cumsum(r.poisson(visits * 0.02)),
            "seconds": np.round(r.normal(95, 8, n), 1),
            "campaign": odds(r, np.full(n, -1.0), "yes", "no"),
        }
    )
    return by_year(frame, at, "campaign")


@kind
def donors(r: Rng) -> Series:
    """Sixty rows: few donors, how often and how long ago they gave, and since when."""
    n = 160
    at = moments(r, n, unit="D")
    times = 1 + r.poisson(4, n)
    frame = pd.DataFrame(
        {
            "donor": np.arange(n) + 310,
            "asked_on": at.dt.strftime("%Y-%m-%d"),
            "times": times,
            "volume": times * 250,
            "months_ago": r.integers(2, 30, n),
            "gave": odds(r, 0.2 * times - 1, "yes", "no"),
        }
    )
    return by_year(frame, at, "gave")


@kind
def claims(r: Rng) -> Series:
    """Insurance: when it happened and when it was reported, policies from many years, text, rising costs."""
    n = 3000
    at = moments(r, n).dt.normalize()
    years = (at - at.iloc[0]).dt.days.to_numpy() / 365
    happened = at - pd.to_timedelta(np.round(r.gamma(1, 12, n)), unit="D")
    began = happened - pd.to_timedelta(np.round(r.gamma(2, 900, n)) + 1, unit="D")
    cost = np.round(np.exp(r.normal(7, 1, n)) * 1.04**years, 2)
    frame = pd.DataFrame(
        {
            "claim_id": [f"{y}{i:06d}" for y, i in zip(at.dt.year, np.arange(n) + 1, strict=True)],
            "reported": at.dt.strftime("%d-%b-%Y"),
            "happened": happened.dt.strftime("%d-%b-%Y"),
            "policy_from": began.dt.strftime("%d-%b-%Y"),
            "policy_year": ((happened - began).dt.days // 365 + 1).to_numpy(),
            "cost": cost,
            "cause": [" ".join(w) for w in r.choice(["water", "storm", "glass", "theft", "fire", "roof"], (n, 3))],
            "refused": odds(r, 0.2 * np.log(cost) - 3, "yes", "no"),
        }
    )
    return by_year(frame, at, "refused")
