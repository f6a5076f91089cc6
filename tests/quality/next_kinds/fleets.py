"""Things that move and wear: cars, parcels, flights, bicycles, machines in the field."""

import numpy as np
import pandas as pd

from tests.quality.next_kinds.kind import Rng, Series, by_year, kind, moments, odds, season


@kind
def odometers(r: Rng) -> Series:
    """Fifty cars at the filling station: an odometer for each, price and litres."""
    n = 3000
    at = moments(r, n, unit="min")
    car = r.integers(0, 50, n)
    km = np.round(np.maximum(20, r.normal(480, 130, n)))
    odometer = r.integers(500, 140_000, 50)[car] + pd.Series(km).groupby(car).cumsum().to_numpy()
    litres = np.round(km * r.normal(0.065, 0.006, n), 2)
    frame = pd.DataFrame(
        {
            "filled_at": at.dt.strftime("%Y-%m-%d %H:%M"),
            "plate": [f"W-{1000 + 37 * c}" for c in car],
            "odometer": odometer.astype(int),
            "litres": litres,
            "paid": np.round(litres * (1.6 + 0.05 * season(at)), 2),
            "fuel": r.choice(["diesel", "petrol"], 50)[car],
            "long_trip": odds(r, (km - 500) / 60),
        }
    )
    return by_year(frame, at, "long_trip")


@kind
def versions(r: Rng) -> Series:
    """Changes of customers' records: a version that goes on by one for each customer."""
    n = 4000
    at = moments(r, n, unit="s")
    who = (r.beta(1, 2, n) * 300).astype(int)
    version = pd.Series(who).groupby(who).cumcount().to_numpy() + 1
    frame = pd.DataFrame(
        {
            "change_id": np.arange(n) + 1,
            "changed_at": at.dt.strftime("%Y-%m-%d %H:%M:%S"),
            "customer_id": who + 40_000,
            "version": version,
            "field": r.choice(["address", "phone", "name", "email"], n, p=[0.4, 0.3, 0.1, 0.2]),
            "by": r.choice(["agent", "self"], n, p=[0.3, 0.7]),
            "length": r.poisson(14, n),
            "undone": odds(r, r.normal(-2, 1, n)),
        }
    )
    return by_year(frame, at, "undone")


@kind
def parcels(r: Rng) -> Series:
    """Parcels: tracking numbers, ordered, shipped and delivered in this order, zones."""
    n = 3600
    at = moments(r, n, unit="s")
    shipped = at + pd.to_timedelta(np.round(r.gamma(2, 30_000, n)), unit="s")
    zone = r.integers(1, 6, n)
    arrived = shipped + pd.to_timedelta(np.round(r.gamma(3, 14_000, n) * zone), unit="s")
    frame = pd.DataFrame(
        {
            "tracking": [f"JD{i:010d}GB" for i in 3_140_000_000 + np.cumsum(1 + r.poisson(40, n))],
            "ordered": at,
            "shipped": shipped,
            "delivered": arrived,
            "zone": zone,
            "kg": np.round(np.exp(r.normal(0.4, 0.7, n)), 2),
            "service": r.choice(["std", "express"], n, p=[0.8, 0.2]),
            "late": odds(r, (arrived - shipped).dt.days.to_numpy() - 3.0, "yes", "no"),
        }
    )
    return by_year(frame, at, "late")


@kind
def flights(r: Rng) -> Series:
    """Flights: year, month, day and weekday apart, times as hhmm, delays of the season."""
    n = 4000
    at = moments(r, n, unit="min")
    delay = np.round(r.normal(4 + 5 * season(at), 18, n)).astype(int)
    frame = pd.DataFrame(
        {
            "year": at.dt.year,
            "month": at.dt.month,
            "day": at.dt.day,
            "day_of_week": at.dt.day_of_week + 1,
            "departure": at.dt.hour * 100 + at.dt.minute,
            "carrier": r.choice(["OS", "LH", "BA", "AF"], n, p=[0.4, 0.3, 0.2, 0.1]),
            "distance": r.choice([310, 640, 870, 1240, 2300], n),
            "delay": delay,
            "cancelled": odds(r, delay / 20 - 4),
        }
    )
    return by_year(frame, at, "cancelled")


@kind
def bicycles(r: Rng) -> Series:
    """Bicycles for hire by the hour: a running number, season, year 0 and 1, month, hour, weather, riders."""
    at = pd.Series(pd.date_range("2024-01-01", "2025-12-31 22:00", freq="4h"))
    n = len(at)
    warm = np.clip(0.5 + 0.3 * season(at) + r.normal(0, 0.06, n), 0.02, 1)
    busy = np.exp(3 + 1.5 * warm + np.sin((at.dt.hour - 8) / 24 * 2 * np.pi) + 0.3 * (at.dt.year - 2024))
    casual, members = r.poisson(busy * 0.3), r.poisson(busy)
    frame = pd.DataFrame(
        {
            "instant": np.arange(n) + 1,
            "dteday": at.dt.strftime("%Y-%m-%d"),
            "season": (at.dt.month % 12 // 3 + 1),
            "yr": at.dt.year - 2024,
            "mnth": at.dt.month,
            "hr": at.dt.hour,
            "workingday": (at.dt.day_of_week < 5).astype(int),
            "weathersit": r.choice([1, 2, 3], n, p=[0.65, 0.27, 0.08]),
            "temp": np.round(warm, 2),
            "casual": casual,
            "registered": members,
            "cnt": casual + members,
        }
    )
    return by_year(frame, at, "cnt")


@kind
def machines_in_the_field(r: Rng) -> Series:
    """Twenty machines report each day: hours of work, oil that is changed, an error count, firmware."""
    machine, day = np.tile(np.arange(20), 240), np.repeat(np.arange(240), 20)
    at = pd.Series(pd.Timestamp("2024-02-01") + pd.to_timedelta(day, unit="D"))
    worked = np.round(np.clip(r.normal(7, 2, day.size), 0, 24), 1)
    hours = np.round(r.integers(100, 9000, 20)[machine] + pd.Series(worked).groupby(machine).cumsum().to_numpy(), 1)
    faults_seen = r.poisson(0.15, day.size)
    frame = pd.DataFrame(
        {
            "day": at.dt.strftime("%Y%m%d").astype(int),
            "machine": machine + 1,
            "hours": hours,
            "errors_so_far": pd.Series(faults_seen).groupby(machine).cumsum(),
            "firmware": [f"v2.{4 + d // 45}" for d in day],
            "oil_c": np.round(60 + worked * 2 + r.normal(0, 3, day.size), 1),
            "service": odds(r, -3 + 0.2 * worked, "yes", "no"),
        }
    )
    return by_year(frame, at, "service", "2024-05-31")


@kind
def country_totals(r: Rng) -> Series:
    """Totals since the beginning by country and day, as health offices publish them."""
    country, day = np.tile(np.arange(15), 300), np.repeat(np.arange(300), 15)
    at = pd.Series(pd.Timestamp("2024-03-01") + pd.to_timedelta(day, unit="D"))
    new = r.poisson(np.exp(np.random.default_rng(2).normal(4, 1, 15))[country] * (1 + 0.5 * np.sin(day / 40)))
    frame = pd.DataFrame(
        {
            "date": at.dt.strftime("%Y-%m-%d"),
            "country": np.array([f"C{c:02d}" for c in range(15)])[country],
            "new_cases": new,
            "total_cases": pd.Series(new).groupby(country).cumsum(),
            "beds": r.integers(2, 9, 15)[country],
            "rate": np.round(r.normal(1.0, 0.15, day.size), 2),
            "alert": odds(r, r.normal(-1, 1, day.size), "yes", "no"),
        }
    )
    return by_year(frame, at, "alert", "2024-07-29")


@kind
def positions(r: Rng) -> Series:
    """Lorries' positions: a time in seconds since 1970, a sequence for each lorry, distance so far."""
    n = 4800
    at = moments(r, n, "2024-05-01", 60, unit="s")
    lorry = r.integers(0, 12, n)
    moved = np.round(r.gamma(2, 9, n), 2)
    frame = pd.DataFrame(
        {
            "unix_time": (at - pd.Timestamp("1970-01-01")) // pd.Timedelta(seconds=1),
            "lorry": [f"L{i:02d}" for i in lorry],
            "seq": pd.Series(lorry).groupby(lorry).cumcount() + 1,
            "km_so_far": np.round(pd.Series(moved).groupby(lorry).cumsum() + r.integers(0, 90_000, 12)[lorry], 2),
            "lat": np.round(48 + r.normal(0, 0.4, n), 5),
            "lon": np.round(14 + r.normal(0, 0.8, n), 5),
            "speed": np.round(np.clip(r.normal(55, 22, n), 0, 90), 1),
            "stopped": odds(r, r.normal(-2, 1, n)),
        }
    )
    return by_year(frame, at, "stopped", "2024-05-31")
