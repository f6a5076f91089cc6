"""What is read off instruments: sensors, meters, counters, weather."""

import numpy as np
import pandas as pd

from tests.quality.next_kinds.kind import Rng, Series, by_year, kind, moments, odds, season


def _walk(r: Rng, n: int, keep: float, step: float) -> np.ndarray:
    """Noise that remembers: each value is ``keep`` of the one before and a normal step."""
    steps, out = r.normal(0, step, n), np.zeros(n)
    for i in range(1, n):
        out[i] = keep * out[i - 1] + steps[i]
    return out


@kind
def heat_pump(r: Rng) -> Series:
    """Every four hours: temperatures of the season, a meter of energy and hours of work that go on."""
    at = pd.Series(pd.date_range("2024-01-01", "2025-12-31 20:00", freq="4h"))
    n = len(at)
    outside = 11 + 9 * season(at) + 3 * np.sin(2 * np.pi * (at.dt.hour - 9) / 24) + _walk(r, n, 0.9, 1.2)
    used = np.maximum(0, 3.2 - 0.14 * outside + r.normal(0, 0.3, n))
    frame = pd.DataFrame(
        {
            "measured_at": at.dt.strftime("%Y-%m-%dT%H:%M:%S"),
            "outside_c": np.round(outside, 1),
            "flow_c": np.round(38 - 0.5 * outside + r.normal(0, 0.8, n), 1),
            "meter_kwh": np.round(12_000 + np.cumsum(used), 2),
            "hours_of_work": np.round(3100 + np.cumsum(np.minimum(4, used)), 1),
            "starts": 880 + np.cumsum(r.poisson(0.7, n)),
            "mode": np.where(outside > 17, "off", r.choice(["eco", "normal"], n, p=[0.7, 0.3])),
            "defrost": odds(r, -2 - 0.3 * outside),
        }
    )
    return by_year(frame, at, "defrost")


@kind
def hourly_load(r: Rng) -> Series:
    """Load of a grid hour by hour, with hour, weekday and month as columns; local time with its offset."""
    at = pd.Series(pd.date_range("2024-01-01", "2025-12-31 23:00", freq="3h", tz="Europe/Vienna"))
    n = len(at)
    local = at.dt.tz_localize(None)
    weekend = at.dt.day_of_week.to_numpy() >= 5
    load = 6000 - 800 * season(local) + 900 * np.sin((at.dt.hour - 7) / 24 * 2 * np.pi) - 700 * weekend
    load = load + _walk(r, n, 0.95, 60)
    frame = pd.DataFrame(
        {
            "at": [m.isoformat() for m in at],
            "hour": at.dt.hour,
            "weekday": at.dt.day_of_week,
            "month": at.dt.month,
            "load_mw": np.round(load),
            "price": np.round(0.012 * load + r.normal(0, 6, n), 2),
            "peak": odds(r, (np.asarray(load) - 6500) / 300),
        }
    )
    return by_year(frame, local, "peak")


@kind
def water_meters(r: Rng) -> Series:
    """Forty households read every month: each meter goes on by itself."""
    house, month = np.tile(np.arange(40), 24), np.repeat(np.arange(24), 40)
    use = np.round(r.gamma(4, 2.5, house.size) * (1 + 0.2 * np.sin(month / 6 * np.pi)), 1)
    begin = r.integers(50, 3000, 40)
    reading = begin[house] + pd.Series(use).groupby(house).cumsum().to_numpy()
    at = pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(month * 30.4 + 5, unit="D")).dt.normalize()
    frame = pd.DataFrame(
        {
            "read_on": at.dt.strftime("%Y-%m-%d"),
            "household": [f"H{h:03d}" for h in house],
            "reading_m3": np.round(reading, 1),
            "use_m3": use,
            "people": r.integers(1, 6, 40)[house],
            "high": odds(r, use / 3 - 4, "yes", "no"),
        }
    )
    return by_year(frame, at, "high")


@kind
def machine_minutes(r: Rng) -> Series:
    """A machine minute by minute over two days: a counter of parts, one of cycles in milliseconds since 1970."""
    n = 5760
    at = pd.Series(pd.date_range("2024-03-04", periods=n, freq="min"))
    load = np.clip(_walk(r, n, 0.97, 4) + 55, 5, 100)
    frame = pd.DataFrame(
        {
            "ts": at.astype("int64") // 10**6 if str(at.dtype).endswith("[ns]") else at.astype("int64") // 10**3,
            "parts": 100_000 + np.cumsum(r.poisson(load / 25)),
            "load": np.round(load, 1),
            "temperature": np.round(40 + 0.3 * load + r.normal(0, 0.7, n), 2),
            "state": np.where(load < 35, "idle", "run"),
            "scrap": odds(r, -4 + 0.03 * load),
        }
    )
    return by_year(frame, at, "scrap", "2024-03-06")


@kind
def week_against_a_year(r: Rng) -> Series:
    """A river: level and temperature of the season every six hours, hardly any noise."""
    at = pd.Series(pd.date_range("2024-01-01", "2025-12-31 18:00", freq="6h"))
    n = len(at)
    level = 210 - 40 * season(at) + _walk(r, n, 0.99, 4)
    frame = pd.DataFrame(
        {
            "time": at,
            "level_cm": np.round(level).astype(int),
            "water_c": np.round(12 + 8 * season(at) + _walk(r, n, 0.98, 0.15), 1),
            "flow": np.round(np.exp(level / 90) * 8, 1),
            "turbid": odds(r, (level - 230) / 20, "yes", "no"),
        }
    )
    return by_year(frame, at, "turbid")


@kind
def weather_days(r: Rng) -> Series:
    """One row a day, 366 and 365 of them: few rows, a strong season, a leap day."""
    at = pd.Series(pd.date_range("2024-01-01", "2025-12-31"))
    n = len(at)
    warmest = 14 + 11 * season(at) + _walk(r, n, 0.7, 3)
    frame = pd.DataFrame(
        {
            "date": at.dt.strftime("%Y-%m-%d"),
            "warmest": np.round(warmest, 1),
            "coldest": np.round(warmest - r.gamma(6, 1.3, n), 1),
            "rain_mm": np.where(r.random(n) < 0.6, 0.0, np.round(r.gamma(0.8, 6, n), 1)),
            "wind": np.round(r.gamma(4, 3, n), 1),
            "snow": odds(r, -2 - 0.6 * warmest, "yes", "no"),
        }
    )
    return by_year(frame, at, "snow")


@kind
def air_stations(r: Rng) -> Series:
    """Twelve stations, a row a station and half day, sorted by station: the order of the file is not that of time."""
    at = pd.Series(np.tile(pd.date_range("2024-01-01", "2025-12-31 12:00", freq="24h").to_numpy(), 6))
    station = np.repeat(np.arange(6), len(at) // 6)
    level = r.normal(30, 6, 6)[station] - 8 * season(at) + r.normal(0, 4, len(at))
    frame = pd.DataFrame(
        {
            "station": [f"S{s}" for s in station],
            "day": at.dt.strftime("%Y-%m-%d"),
            "no2": np.round(np.maximum(level, 0.5), 1),
            "pm10": np.round(np.exp(r.normal(2.8, 0.4, len(at)) - 0.2 * season(at)), 1),
            "exceeded": odds(r, (level - 40) / 4),
        }
    )
    return by_year(frame, at, "exceeded", sort="station")


@kind
def traffic_counts(r: Rng) -> Series:
    """Counts by hour that never stop, with a public holiday here and there, typed dates, no label."""
    at = moments(r, 3000, unit="h")
    busy = np.exp(4 + 0.8 * np.sin((at.dt.hour.to_numpy() - 6) / 24 * 2 * np.pi) + 0.1 * season(at))
    frame = pd.DataFrame(
        {
            "hour": at,
            "cars": r.poisson(busy),
            "lorries": r.poisson(busy / 8 * np.where(at.dt.day_of_week >= 5, 0.3, 1.0)),
            "speed": np.round(r.normal(62, 7, len(at)), 1),
            "ever_counted": 5_000_000 + np.cumsum(r.poisson(busy)),
        }
    )
    return by_year(frame, at, None)


@kind
def counter_without_a_clock(r: Rng) -> Series:
    """No time at all: a counter of pulses in the order of the rows, and what was measured with it."""
    n = 4000
    frame = pd.DataFrame(
        {
            "pulses": 40_000 + np.cumsum(1 + r.poisson(6, n)),
            "width": np.round(r.normal(12, 0.3, n), 3),
            "height": np.round(r.normal(8, 0.2, n), 3),
            "tool": r.choice(["A", "B"], n),
            "good": odds(r, r.normal(2, 1, n), "yes", "no"),
        }
    )
    return Series(frame, "good", n // 2, ordered=True)
