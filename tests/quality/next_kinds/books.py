"""What is written into books: sales, invoices, prices, tickets."""

import numpy as np
import pandas as pd

from tests.quality.next_kinds.kind import Rng, Series, by_year, kind, moments, odds


@kind
def retail_orders(r: Rng) -> Series:
    """Orders with running numbers, later dates, customers who keep coming in, prices that rise by 3 % a year."""
    n = 5000
    at = moments(r, n, unit="min")
    years = (at - at.iloc[0]).dt.days.to_numpy() / 365
    quantity = 1 + r.poisson(1.2, n)
    price = np.round(np.exp(r.normal(3, 0.6, n)) * 1.03**years, 2)
    customer = 1000 + (r.beta(1, 3, n) * (300 + 400 * years)).astype(int)
    frame = pd.DataFrame(
        {
            "order_id": np.arange(n) + 70_001,
            "ordered_at": at,
            "shipped_on": (at + pd.to_timedelta(1 + r.poisson(2, n), unit="D")).dt.normalize(),
            "customer": customer,
            "channel": r.choice(["web", "app", "store"], n, p=[0.5, 0.4, 0.1]),
            "quantity": quantity,
            "unit_price": price,
            "total": np.round(quantity * price, 2),
            "returned": odds(r, -1.5 + 0.3 * quantity, "yes", "no"),
        }
    )
    return by_year(frame, at, "returned")


@kind
def quarter_of_sales(r: Rng) -> Series:
    """Sales of two quarters, with the month and the week of the year as columns of their own."""
    n = 4000
    at = moments(r, n, "2024-01-01", 182, unit="s")
    basket = np.round(np.exp(r.normal(2.8, 0.7, n)), 2)
    frame = pd.DataFrame(
        {
            "receipt": np.arange(n) + 1,
            "sold_at": at.dt.strftime("%d.%m.%Y %H:%M:%S"),
            "month": at.dt.month,
            "week": at.dt.isocalendar().week.astype(int),
            "weekday": at.dt.day_name(),
            "basket": basket,
            "items": 1 + r.poisson(basket / 9),
            "card": odds(r, 0.02 * basket, "yes", "no"),
        }
    )
    return by_year(frame, at, "card", "2024-04-01")


@kind
def monthly_books(r: Rng) -> Series:
    """Year, quarter and month alone, no date: thirty branches month by month."""
    month = np.repeat(np.arange(24), 30)
    branch = np.tile(np.arange(30), 24)
    at = pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(month * 30.4 + 1, unit="D"))
    turnover = np.round(np.exp(r.normal(9, 0.4, 30)[branch] + r.normal(0, 0.15, branch.size)), 2)
    frame = pd.DataFrame(
        {
            "year": 2024 + month // 12,
            "quarter": month % 12 // 3 + 1,
            "month": month % 12 + 1,
            "branch": [f"B{b:02d}" for b in branch],
            "turnover": turnover,
            "staff": np.maximum(1, np.round(turnover / 2500 + r.normal(0, 1, branch.size))).astype(int),
            "target_met": odds(r, (turnover - 9000) / 3000),
        }
    )
    return by_year(frame, at, "target_met")


@kind
def invoices(r: Rng) -> Series:
    """Invoice numbers with the year inside, three dates, a running total."""
    n = 3000
    at = moments(r, n).dt.normalize()
    number = at.groupby(at.dt.year).cumcount() + 1
    amount = np.round(np.exp(r.normal(5.5, 0.9, n)), 2)
    due = at + pd.to_timedelta(r.choice([14, 30, 60], n), unit="D")
    paid = due + pd.to_timedelta(np.round(r.normal(-2, 6, n)), unit="D")
    frame = pd.DataFrame(
        {
            "invoice": [f"INV-{y}-{i:05d}" for y, i in zip(at.dt.year, number, strict=True)],
            "issued": at.dt.strftime("%Y-%m-%d"),
            "due": due.dt.strftime("%Y-%m-%d"),
            "paid": np.maximum(paid, at + pd.Timedelta(days=1)).dt.strftime("%Y-%m-%d"),
            "amount": amount,
            "running_total": np.round(np.cumsum(amount), 2),
            "country": r.choice(["NL", "BE", "LU"], n, p=[0.7, 0.2, 0.1]),
            "late": odds(r, 0.3 * np.log(amount) - 2.5, True, False),
        }
    )
    return by_year(frame, at, "late")


@kind
def support_tickets(r: Rng) -> Series:
    """Tickets: a prefixed running key, closed later or not yet, versions of the product that go on."""
    n = 3600
    at = moments(r, n, unit="s")
    years = (at - at.iloc[0]).dt.days.to_numpy() / 365
    hours = np.exp(r.normal(2.5, 1.0, n))
    closed = (at + pd.to_timedelta(np.round(hours * 3600), unit="s")).dt.strftime("%Y-%m-%dT%H:%M:%S")
    release = (years * 9 + r.beta(6, 1, n) * 2).astype(int)
    frame = pd.DataFrame(
        {
            "ticket": [f"T{i:06d}" for i in np.arange(n) + 23_400],
            "opened": at.dt.strftime("%Y-%m-%dT%H:%M:%S"),
            "closed": closed.where(r.random(n) > 0.04),
            "version": [f"3.{v}.{p}" for v, p in zip(release, r.integers(0, 3, n), strict=True)],
            "build": 5100 + release * 37 + r.integers(0, 5, n),
            "area": r.choice(["login", "billing", "export", "other"], n, p=[0.2, 0.3, 0.2, 0.3]),
            "replies": r.poisson(2 + hours / 20),
            "solved": odds(r, 1.5 - hours / 40, "yes", "no"),
        }
    )
    return by_year(frame, at, "solved")


@kind
def daily_prices(r: Rng) -> Series:
    """The price of a share by trading day: a random walk, with its volume."""
    days = pd.bdate_range("2023-01-02", "2025-12-31")
    n = len(days)
    close = 80 * np.exp(np.cumsum(r.normal(0.0003, 0.012, n)))
    spread = close * np.abs(r.normal(0, 0.008, (2, n)))
    opened = close * np.exp(r.normal(0, 0.005, n))
    frame = pd.DataFrame(
        {
            "date": days.strftime("%Y-%m-%d"),
            "open": np.round(opened, 2),
            "high": np.round(np.maximum(opened, close) + spread[0], 2),
            "low": np.round(np.minimum(opened, close) - spread[1], 2),
            "close": np.round(close, 2),
            "volume": (np.exp(r.normal(13, 0.35, n))).astype(int),
            "up_tomorrow": (np.append(np.diff(close), 0.1) > 0).astype(int),
        }
    )
    return by_year(frame, pd.Series(days), "up_tomorrow")


@kind
def new_products(r: Rng) -> Series:
    """A catalogue that grows: a new product every few weeks, others taken out, a price list that rises by 5 %."""
    n = 4000
    at = moments(r, n).dt.normalize()
    day = (at - at.iloc[0]).dt.days.to_numpy()
    product = np.maximum(day // 20 - (r.beta(1, 2, n) * 9).astype(int), -8)
    base = np.exp(np.random.default_rng(3).normal(3, 0.5, 80))
    price = np.round(base[product + 8] * 1.05 ** (day / 365), 2)
    frame = pd.DataFrame(
        {
            "day": at.dt.strftime("%Y-%m-%d"),
            "product": [f"P{p + 108}" for p in product],
            "price": price,
            "sold": r.poisson(6, n),
            "shelf": r.integers(1, 40, n),
            "promo": odds(r, 0.02 * price - 1, "yes", "no"),
        }
    )
    return by_year(frame, at, "promo")


@kind
def monthly_file(r: Rng) -> Series:
    """A file a month: the date of the extract and the number of the load are the same in all of its rows."""
    n = 1600
    later = np.arange(n) >= n // 2
    amount = np.round(np.exp(r.normal(6, 0.8, n)), 2)
    frame = pd.DataFrame(
        {
            "extracted_on": np.where(later, "2024-07-31", "2024-06-30"),
            "load_id": np.where(later, 818, 817),
            "period": np.where(later, "2024-07", "2024-06"),
            "account": r.choice(90_000, n, replace=False) + 10_000,
            "amount": amount,
            "kind": r.choice(["current", "savings"], n, p=[0.7, 0.3]),
            "months": r.integers(1, 240, n),
            "overdrawn": odds(r, 1.0 - 0.003 * amount, "yes", "no"),
        }
    )
    return Series(frame, "overdrawn", n // 2)


@kind
def bank_statement(r: Rng) -> Series:
    """One account: value dates, a balance that carries on from row to row, a sequence number."""
    n = 2400
    at = moments(r, n).dt.normalize()
    amount = np.round(np.where(r.random(n) < 0.05, r.normal(2600, 200, n), -np.exp(r.normal(4.2, 0.9, n))), 2)
    frame = pd.DataFrame(
        {
            "seq": np.arange(n) + 1,
            "booked": at.dt.strftime("%d/%m/%Y"),
            "amount": amount,
            "balance": np.round(4000 + np.cumsum(amount - amount.mean() + 1.5), 2),
            "kind": np.where(amount > 0, "in", r.choice(["card", "transfer", "cash"], n, p=[0.6, 0.3, 0.1])),
            "flagged": odds(r, -2 - amount / 400),
        }
    )
    return by_year(frame, at, "flagged")
