"""Great Expectations' Data Docs as pages that load nothing: one a split, and an index.

The library renders the rules and what was observed; the page around them is ours, because its own loads style sheets,
scripts and a logo from eleven places on the network. Everything needed stands in the page itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kilnworks.components.charts.sparkline import sparkline
from kilnworks.components.quality.expectations.gx import load_gx
from kilnworks.components.quality.expectations.history import RunQuality, worst_failed
from kilnworks.components.quality.expectations.markup import arrived, carried
from kilnworks.components.quality.expectations.outcome import Outcome
from kilnworks.components.quality.expectations.rule import WHOLE
from kilnworks.components.quality.expectations.run_gx import Checked
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.files import write_text

ASSETS = Path(__file__).parent / "assets" / "data_docs"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'"
"""What a browser may load for the page: its own style, no script, and nothing else."""
TABLE = "Table-Level Expectations"
"""What the library calls the section of rules on no single column."""


def write_data_docs(
    checked: Sequence[Checked],
    contract: Contract,
    out: Path,
    samples: Sequence[Mapping[str, Any]] = (),
    history: Sequence[RunQuality] = (),
) -> Path:
    """Write ``index.html`` and ``<split>.html`` into ``out`` and return the index.

    ``samples`` are rows of broken rules as ``sample_rows`` gives them, ``history`` the last runs, this one at the end.
    Values of sensitive columns are masked in the results by the time they come here.
    """
    view = _view()
    for one in checked:
        write_text(out / f"{one.split}.html", _split_page(view, one, contract))
    outcomes = [outcome for one in checked for outcome in one.outcomes]
    suites = [{"split": one.split, "title": _title(one.split), **_counts(one.outcomes)} for one in checked]
    index = view.env.get_template("index.html").render(
        **_common(outcomes, contract),
        suites=suites,
        columns=_columns(contract),
        with_split=True,
        samples=samples,
        links={(s["column"], s["rule"], s["split"]): f"#rows-{i}" for i, s in enumerate(samples)},
        history=_trends(history, contract),
    )
    write_text(out / "index.html", index)
    return out / "index.html"


def _trends(history: Sequence[RunQuality], contract: Contract) -> dict[str, Any] | None:
    """By column, the missing and the worst failed share of the last runs; None with fewer than two runs."""
    from markupsafe import Markup

    if len(history) < 2:
        return None
    names = [run.run_id for run in history]
    rows = []
    for column in contract.columns:
        missing = [run.missing.get(column) for run in history]
        failed = worst_failed(history, column)
        rows.append(
            {
                "name": column,
                "missing": Markup(sparkline(missing, names, f"missing in {column}")),
                "failed": Markup(sparkline(failed, names, f"rows of {column} that break a rule")),
                "now": (missing[-1], failed[-1]),
            }
        )
    return {"runs": len(history), "rows": rows}


def _view() -> Any:
    """The library's view with our templates in front of its own."""
    load_gx()
    from great_expectations.render.view import DefaultJinjaPageView
    from jinja2 import ChoiceLoader, FileSystemLoader

    view = DefaultJinjaPageView()
    view.env.loader = ChoiceLoader([FileSystemLoader(ASSETS), view.env.loader])
    return view


def _split_page(view: Any, one: Checked, contract: Contract) -> str:
    from great_expectations.render.renderer import ValidationResultsPageRenderer

    document = ValidationResultsPageRenderer().render(_plain(one.result))
    document.sections = [s for s in document.sections if s.section_name not in ("Overview", "Run Info")]
    _describe(document.sections, {carried(row["name"]): carried(_about(row)) for row in _columns(contract)})
    page = view.render(
        document,
        template="page.html",
        **_common(one.outcomes, contract),
        failed=_failed_sections(one.result),
        split=one.split,
        split_title=_title(one.split),
        with_split=False,
        links={},
    )
    return arrived(str(page))


def _failed_sections(result: Any) -> set[str]:
    """Names of the sections with a rule that is not kept."""
    failed = [one.expectation_config.kwargs for one in result.results if not one.success]
    return {carried(str(kwargs["column"])) if "column" in kwargs else TABLE for kwargs in failed}


def _describe(sections: Sequence[Any], descriptions: Mapping[str, str]) -> None:
    """Put what a column means below its heading."""
    from great_expectations.render import RenderedStringTemplateContent

    for section in sections:
        text = descriptions.get(section.section_name)
        if text:
            template = {"template": "$text", "params": {"text": text}}
            section.content_blocks[0].subheader = RenderedStringTemplateContent(string_template=template)


def _plain(result: Any) -> Any:
    """The result with NumPy's scalars as Python's own, on which the renderer fails, and texts that cannot be markup."""
    from great_expectations.core.expectation_validation_result import expectationSuiteValidationResultSchema

    tree = carried(json.loads(json.dumps(result.to_json_dict(), allow_nan=True, default=str)))
    return expectationSuiteValidationResultSchema.load(tree)


def _common(outcomes: Sequence[Outcome], contract: Contract) -> dict[str, Any]:
    """What every page is given."""
    from markupsafe import Markup

    broken = sorted((o for o in outcomes if not o.success), key=lambda o: (o.severity != "critical", o.column or ""))
    return {
        "contract": contract,
        "broken": broken,
        "critical": sum(o.failed_critically for o in outcomes),
        "verdict": _verdict(outcomes),
        "css": Markup((ASSETS / "docs.css").read_text(encoding="utf-8")),
        "policy": POLICY,
    }


def _counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    failed = [o for o in outcomes if not o.success]
    return {
        "rules": len(outcomes),
        "kept": len(outcomes) - len(failed),
        "critical": sum(o.severity == "critical" and not o.could_not_check for o in failed),
        "warning": sum(o.severity == "warning" and not o.could_not_check for o in failed),
        "could_not_check": sum(o.could_not_check for o in failed),
    }


def _verdict(outcomes: Sequence[Outcome]) -> str:
    counts = _counts(outcomes)
    if counts["kept"] == counts["rules"]:
        return f"All {counts['rules']} rules are kept."
    parts = [
        f"{counts['critical']} critical",
        f"{counts['warning']} with a warning",
        f"{counts['could_not_check']} could not be checked",
    ]
    shown = [part for part in parts if not part.startswith("0 ")]
    return f"{counts['rules'] - counts['kept']} of {counts['rules']} rules are not kept: {', '.join(shown)}."


def _title(split: str) -> str:
    return "whole data set" if split == WHOLE else f"split {split}"


def _columns(contract: Contract) -> list[dict[str, str]]:
    """Rows of the table of columns."""
    rows = [
        {
            "name": name,
            "role": "feature",
            "dtype": _dtype(f.dtype, f.shape),
            "unit": f.unit,
            "description": f.description,
        }
        for name, f in contract.features.items()
    ]
    if contract.label is not None:
        label = contract.label
        rows.append(
            {
                "name": label.name,
                "role": "label",
                "dtype": label.dtype,
                "unit": label.unit,
                "description": label.description,
            }
        )
    named = {row["name"] for row in rows}
    for name, role in ((contract.key, "key"), (contract.time, "time")):
        if name is not None and name not in named:
            rows.append({"name": name, "role": role, "dtype": "", "unit": "", "description": ""})
    return rows


def _dtype(dtype: str, shape: tuple[int, ...]) -> str:
    return f"{dtype} {' x '.join(map(str, shape))}" if shape else dtype


def _about(row: dict[str, str]) -> str:
    unit = f" ({row['unit']})" if row["unit"] else ""
    return f"{row['description']}{unit}" if row["description"] else ""
