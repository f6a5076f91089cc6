"""Data of an invented shop for the store that release 0.1.0 made: ``visits.csv`` with labels, ``fresh.csv`` without."""

import csv
import random
import sys
from pathlib import Path

NAMES = ["visit", "pages", "minutes", "device", "returning", "bought"]


def rows(count: int, seed: int) -> list[dict[str, object]]:
    """Visits of which longer ones, on a desktop, buy more often."""
    dice, found = random.Random(seed), []
    for i in range(count):
        device = dice.choice(["desktop", "phone", "phone", "tablet"])
        pages, returning = dice.randint(1, 30), dice.random() < 0.4
        minutes = round(pages * dice.uniform(0.3, 1.2), 2)
        score = pages / 10 + (device == "desktop") + returning - 2.3 + dice.gauss(0, 0.5)
        bought = "yes" if score > 0 else "no"
        shown = "" if dice.random() < 0.05 else minutes
        visit = {"visit": f"v{seed}{i:04d}", "pages": pages, "minutes": shown, "device": device}
        found.append({**visit, "returning": str(returning).lower(), "bought": bought})
    return found


def write(path: Path, names: list[str], found: list[dict[str, object]]) -> None:
    """The named columns as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write(folder / "visits.csv", NAMES, rows(400, 1))
    write(folder / "fresh.csv", NAMES[:-1], rows(40, 2))
