"""Build the targets of ``docker/Dockerfile`` in folders, without a Docker engine; needs root and debootstrap.

python -m scripts.images FOLDER [TARGET...]
"""

import sys
import time
from pathlib import Path

from scripts import unpacked
from scripts.images.dockerfile import stages
from scripts.images.roots import Builder, BuildFailed


def main(arguments: list[str]) -> int:
    """Build; one line a target, with the time that all took so far."""
    known = stages()
    targets = arguments[1:] or [name for name, stage in known.items() if stage.base in known]
    unknown = [name for name in targets if name not in known]
    if not arguments or unknown:
        sys.stderr.write(f"usage: python -m scripts.images FOLDER [TARGET...]; have {', '.join(known)}\n")
        return 2
    debootstrap = unpacked.debootstrap()
    if debootstrap is None:
        sys.stderr.write("no debootstrap: apt-get install debootstrap, or make programs\n")
        return 1
    began = time.monotonic()
    try:
        builder = Builder(Path(arguments[0]).absolute(), debootstrap=debootstrap)
        for name in targets:
            image = builder.build(name)
            sys.stdout.write(f"{name:10} {image.root}  {' '.join(image.start())}  ({time.monotonic() - began:.0f} s)\n")
            sys.stdout.flush()
    except BuildFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
