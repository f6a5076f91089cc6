"""What a user of Great Expectations alone runs: a suite and files -> failed rules a file, as JSON.

Nothing of this project is imported: ``python plain_gx.py suite.json FILE...``.
"""

import json
import logging
import os
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
os.environ["GX_ANALYTICS_ENABLED"] = "false"

import great_expectations as gx  # noqa: E402
import pandas as pd  # noqa: E402


def main(suite_file: str, files: list[str]) -> None:
    """Print which rules each file breaks; null where pandas cannot read it."""
    ours = [name for name in sys.modules if name.startswith(("kilnworks.components", "components."))]
    assert not ours, ours
    suite = gx.ExpectationSuite(**json.loads(Path(suite_file).read_text(encoding="utf-8")))
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("files").add_dataframe_asset("file")
    batches = asset.add_batch_definition_whole_dataframe("whole")
    failed: dict[str, list[str] | None] = {}
    for file in files:
        try:
            frame = pd.read_parquet(file) if file.endswith(".parquet") else pd.read_csv(file)
        except (ValueError, UnicodeDecodeError):
            failed[file] = None
            continue
        results = batches.get_batch({"dataframe": frame}).validate(suite).results
        failed[file] = [one.expectation_config.meta["rule"] for one in results if not one.success]
    print(json.dumps(failed))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
