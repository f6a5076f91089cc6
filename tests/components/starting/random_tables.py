"""Small tables as people export them, drawn at random: odd numbers, gaps, rare classes, sorted rows."""

import datetime
import random
from collections.abc import Callable

import polars as pl
from hypothesis import strategies as st

GAPS = ("", "NA", "?", "NaN")
START = datetime.datetime(2023, 1, 30, 8, 30)
Maker = Callable[[random.Random, int], list[str]]


def _each(value: Callable[[random.Random], str]) -> Maker:
    return lambda r, n: [value(r) for _ in range(n)]


def _days(form: str) -> Maker:
    def make(r: random.Random, n: int) -> list[str]:
        days = [START + datetime.timedelta(days=r.randrange(800), minutes=r.randrange(1440)) for _ in range(n)]
        return [day.strftime(form) for day in days]

    return make


def _rare(r: random.Random, n: int) -> list[str]:
    values = [r.choice("abc") for _ in range(n)]
    values[r.randrange(n)] = "once"
    return values


COLUMNS: dict[str, Maker] = {
    "float": _each(lambda r: f"{r.gauss(0, 5):.4f}"),
    "whole": _each(lambda r: str(r.randrange(0, 90))),
    "few": _each(lambda r: str(r.randrange(0, 3))),
    "thousands": _each(lambda r: f"{r.uniform(10, 90_000):,.2f}"),
    "comma": _each(lambda r: f"{r.uniform(0, 900):.2f}".replace(".", ",")),
    "money": _each(lambda r: f"${r.randrange(1, 5000):,}"),
    "percent": _each(lambda r: f"{r.uniform(0, 100):.1f}%"),
    "brackets": _each(lambda r: f"({r.randrange(1, 900)})" if r.random() < 0.3 else str(r.randrange(1, 900))),
    "exponent": _each(lambda r: f"{r.uniform(0, 1e9):.3e}"),
    "endless": _each(lambda r: "inf" if r.random() < 0.05 else f"{r.random():.3f}"),
    "huge": _each(lambda r: "1e39" if r.random() < 0.05 else f"{r.random():.3f}"),
    "category": _each(lambda r: r.choice(["red", "green", "blue", "Übergrün", "a,b"])),
    "rare": _rare,
    "truth": _each(lambda r: r.choice(["True", "False"])),
    "text": _each(lambda r: " ".join(r.choice(["big", "old", "house", "dog", "ran", "5"]) for _ in range(9))),
    "key": lambda r, n: [f"k{i:06d}" for i in r.sample(range(n * 3), n)],
    "number": lambda _, n: [str(i + 1) for i in range(n)],
    "constant": lambda _, n: ["same"] * n,
    "gone": lambda _, n: [""] * n,
    "iso": _days("%Y-%m-%d %H:%M:%S"),
    "american": _days("%m/%d/%Y"),
    "clock": _days("%H:%M"),
    "month": _days("%d %b %Y"),
    "seconds": _each(lambda r: str(1_700_000_000 + r.randrange(10**7))),
    "code": _each(lambda r: str(2**60 + r.randrange(40))),
    "nearly": lambda r, n: [f"k{r.randrange(n * 8):06d}" for _ in range(n)],
    "counter": lambda r, n: [str(5 * i + r.randrange(5)) for i in range(n)],
    "minus": _each(lambda r: f"\u2212{r.randrange(1, 90)}" if r.random() < 0.4 else str(r.randrange(90))),
    "spaced": _each(lambda r: r.choice([" yes", "yes", "no ", "No"])),
    "mostly": _each(lambda r: "1" if r.random() < 0.02 else "0"),
}


def _classes(names: tuple[str, ...], weights: tuple[float, ...]) -> Maker:
    return lambda r, n: r.choices(names, weights, k=n)


def _named(names: tuple[str, ...], *rows: int) -> Maker:
    """The first name in most rows, each other one in so many."""

    def make(r: random.Random, n: int) -> list[str]:
        values = [name for name, count in zip(names[1:], rows, strict=True) for _ in range(count)]
        values = (values + [names[0]] * n)[: max(n, len(values))][:n]
        r.shuffle(values)
        return values

    return make


LABELS: dict[str, Maker] = {
    "binary": _classes(("yes", "no"), (1, 2)),
    "ones": _classes(("1", "0"), (1, 5)),
    "truths": _classes(("True", "False"), (1, 3)),
    "three": _classes(("a", "b", "c"), (3, 2, 1)),
    "grades": _classes(("1", "2", "3", "4"), (3, 2, 2, 0.1)),
    "single": _named(("usual", "once"), 1),
    "pair": _classes(("x", "y", "z"), (10, 10, 0.2)),
    "rare": _named(("most", "some", "rare", "seldom"), 30, 3, 2),
    "halves": _classes(("1.0", "0.0", "-1.0"), (1, 3, 2)),
    "cases": _classes(("Yes", "yes ", "no"), (3, 1, 4)),
    "codes": _classes((str(2**60), str(2**60 + 1)), (1, 1)),
    "number": _each(lambda r: f"{r.gauss(10, 4):.3f}"),
    "count": _each(lambda r: str(r.randrange(0, 4000))),
    "price": _each(lambda r: f"{r.uniform(10, 90_000):,.2f}"),
    "endless": _each(lambda r: r.choice(["inf", "-inf"]) if r.random() < 0.05 else f"{r.gauss(0, 1):.3f}"),
    "steady": _each(lambda r: "7.5" if r.random() < 0.97 else "8.25"),
}


class Table:
    """What a file holds: texts by column, the label is ``y``; shown as what it was made of."""

    def __init__(self, cells: dict[str, list[str]], made_of: str) -> None:
        self.cells, self.made_of = cells, made_of

    def write(self, path: str) -> None:
        """As CSV."""
        pl.DataFrame(self.cells, schema=dict.fromkeys(self.cells, pl.String)).write_csv(path)

    def __repr__(self) -> str:
        return self.made_of


def _with_gaps(r: random.Random, values: list[str], share: float, gap: str) -> list[str]:
    return [gap if r.random() < share else value for value in values]


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Tables of 30 to 300 rows."""
    n, seed = draw(st.integers(30, 300)), draw(st.integers(0, 10**6))
    kinds = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=6, unique=True))
    label, order = draw(st.sampled_from(sorted(LABELS))), draw(st.sampled_from(["", "y", kinds[0]]))
    gap, share = draw(st.sampled_from(GAPS)), draw(st.sampled_from([0, 0.05, 0.4]))
    gone = draw(st.sampled_from([0, 0.1]))
    r = random.Random(seed)
    cells = {f"{kind}_{i}": _with_gaps(r, COLUMNS[kind](r, n), share, gap) for i, kind in enumerate(kinds)}
    cells["y"] = _with_gaps(r, LABELS[label](r, n), gone, gap)
    if order:
        by = "y" if order == "y" else next(iter(cells))
        places = sorted(range(n), key=lambda k: cells[by][k])
        cells = {name: [values[k] for k in places] for name, values in cells.items()}
    words = f"{n} rows of {kinds}, label {label}, sorted by {order or 'nothing'}"
    return Table(cells, f"{words}, gaps {gap!r} {share} {gone}, seed {seed}")
