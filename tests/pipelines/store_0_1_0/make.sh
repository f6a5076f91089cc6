#!/usr/bin/env bash
# How store.tar.gz and predictions-*.csv were made, once, from the commit of release 0.1.0 with the packages of its lock:
#
#   git worktree add /tmp/kilnworks-0.1.0 71e50ae && cd /tmp/kilnworks-0.1.0 && make setup
#   bash .../tests/pipelines/store_0_1_0/make.sh .../tests/pipelines/store_0_1_0
#
# store.tar.gz: a store with folders of two runs, their reports and the published models.
# predictions-N.csv: what version N answered, then, for fresh.csv.
#
# Two runs went live, the second with other settings: versions 1 and 2, of which 2 is the champion.
set -euo pipefail
here=$(realpath "$1") shop=/tmp/shop-0.1.0
rm -rf "$shop" && cp -r "$here/project" "$shop"
export KILNWORKS_ROOT="$shop" KILNWORKS_STORE="$shop/store" PYTHONHASHSEED=0
python=${PYTHON:-.venv/bin/python}
"$python" "$here/data.py" "$shop"
"$python" -m pipelines run visits --run-id first
"$python" -m pipelines predict visits "$shop/fresh.csv" --output "$here/predictions-1.csv"
"$python" -m pipelines run visits --run-id second --set model.epochs=8
"$python" -m pipelines predict visits "$shop/fresh.csv" --output "$here/predictions-2.csv"
cp "$shop/visits.csv" "$here/project/visits.csv"
cp "$shop/fresh.csv" "$here/fresh.csv"
# the tracker's own database is large and is made anew; folders of work and locks hold nothing
rm -rf "$shop/store"/mlflow* "$shop/store/work" "$shop/store/locks"
tar -C "$shop" -czf "$here/store.tar.gz" --owner=0 --group=0 --sort=name store
