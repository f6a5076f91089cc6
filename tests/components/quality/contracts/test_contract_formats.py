"""Contracts compared, changed, and carried to other tools."""

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from kilnworks.components.quality.contracts.diff import diff_contracts
from kilnworks.components.quality.contracts.evolve import evolve_contract
from kilnworks.components.quality.contracts.infer import infer_contract
from kilnworks.components.quality.contracts.json_schema import export_json_schema
from kilnworks.components.quality.contracts.tfmd import export_schema
from kilnworks.components.quality.contracts.tfmd_read import import_schema
from kilnworks.components.quality.expectations.gx import load_gx
from kilnworks.components.quality.screening.check import check_file
from kilnworks.pipelines.cli.contract import contract_app
from kilnworks.schemas.contract import Contract, Feature, Label, dump_contract, load_contract
from kilnworks.schemas.errors import ConfigError, ContractError, DataInvalid

BASE = Contract(
    name="base",
    key="id",
    features={
        "a": Feature(dtype="float", min=0, max=10),
        "n": Feature(dtype="int", min=-3, nullable=True, max_missing=0.25),
        "b": Feature(dtype="string", allowed=("x", "y"), description="A letter."),
        "t": Feature(dtype="datetime"),
        "f": Feature(dtype="bool"),
        "v": Feature(dtype="float", shape=(2, 3)),
    },
    label=Label(name="y", dtype="int", classes=(0, 1)),
)


def _changed(**features):
    merged = {n: f.model_copy(update=features.get(n, {})) for n, f in BASE.features.items()}
    return BASE.model_copy(update={"features": merged})


def _directions(new):
    return {c.path: c.direction for c in diff_contracts(BASE, new)}


def test_diff_says_which_way_each_rule_moved():
    assert _directions(BASE) == {}
    new = _changed(
        a={"min": -1.0, "max": 9.0}, b={"allowed": ("x", "y", "z")}, n={"max_missing": 0.5}, f={"nullable": True}
    )
    assert _directions(new) == {
        "features.a.min": "looser",
        "features.a.max": "tighter",
        "features.b.allowed": "looser",
        "features.n.max_missing": "looser",
        "features.f.nullable": "looser",
    }
    fewer = BASE.model_copy(update={"features": {"a": BASE.features["a"]}, "key": None})
    assert {"features.b": "looser", "key": "different"}.items() <= _directions(fewer).items()


def test_tensorflow_metadata_comes_back_as_it_went():
    back = import_schema(export_schema(BASE).text, "another")
    assert back.contract == BASE and back.left_out == ()


def test_a_schema_written_elsewhere_is_read():
    text = """
    feature { name: "age" type: INT int_domain { min: 18 max: 99 } presence { min_fraction: 1.0 min_count: 1 } }
    feature { name: "city" type: BYTES domain: "cities" presence { min_fraction: 0.9 } }
    feature { name: "old" type: FLOAT lifecycle_stage: DEPRECATED }
    feature { name: "churned" type: INT int_domain { min: 0 max: 1 } presence { min_fraction: 1.0 } }
    string_domain { name: "cities" value: "Rome" value: "Oslo" }
    """
    read = import_schema(text, "people", label="churned")
    assert read.left_out == ("old: the feature is DEPRECATED; left out whole",)
    contract = read.contract
    assert contract.features == {
        "age": Feature(dtype="int", min=18, max=99),
        "city": Feature(dtype="string", allowed=("Rome", "Oslo"), nullable=True, max_missing=0.1),
    }
    assert contract.label == Label(name="churned", dtype="int", classes=(0, 1))
    with pytest.raises(ContractError, match="not a schema"):
        import_schema("feature {", "x")
    with pytest.raises(ConfigError, match="nothing"):
        import_schema(text, "x", label="nothing")


def test_json_schema_accepts_and_refuses_the_right_rows():
    tree = export_json_schema(BASE).tree
    assert tree["properties"]["a"] == {"type": "number", "minimum": 0, "maximum": 10}
    assert tree["properties"]["b"] == {"type": "string", "enum": ["x", "y"], "description": "A letter."}
    assert tree["properties"]["n"]["type"] == ["integer", "null"]
    assert tree["properties"]["v"]["items"]["maxItems"] == 3
    assert tree["properties"]["y"]["enum"] == [0, 1]
    assert "n" not in tree["required"] and {"a", "id"} <= set(tree["required"])


def test_evolve_moves_rules_just_as_far_as_needed(tmp_path):
    contract = Contract(
        name="c", features={"a": Feature(dtype="int", min=0, max=10), "b": Feature(dtype="string", allowed=("x", "y"))}
    )
    path = tmp_path / "new.csv"
    path.write_text("a,b,extra\n1,x,1\n12,z,1\n,y,1\n")
    evolution = evolve_contract(contract, path)
    assert evolution.contract.features == {
        "a": Feature(dtype="int", min=0, max=12, nullable=True),
        "b": Feature(dtype="string", allowed=("x", "y", "z")),
    }
    assert evolution.contract.ignore == ("extra",)
    assert {c.path for c in evolution.loosened} == {
        "features.a.max",
        "features.a.nullable",
        "features.b.allowed",
        "ignore",
    }
    assert check_file(evolution.contract, path).success
    assert evolve_contract(evolution.contract, path).changes == ()


def test_evolve_switches_statistics_off_one_by_one_and_writes_only_when_told(tmp_path):
    clean = pl.DataFrame(
        {"x": [i * 37 % 101 / 7 for i in range(800)], "g": [("u", "v", "w")[i % 3] for i in range(800)]}
    )
    clean.write_csv(tmp_path / "clean.csv")
    contract = infer_contract(tmp_path / "clean.csv")
    (tmp_path / "c.yaml").write_text(dump_contract(contract))
    new = tmp_path / "new.csv"
    clean.head(400).with_columns(pl.col("x") * 3 + 1).write_csv(new)
    assert not check_file(contract, new).success
    result = CliRunner().invoke(contract_app, ["evolve", str(tmp_path / "c.yaml"), str(new)])
    assert result.exit_code == 0 and "reference.off" in result.stdout
    assert load_contract(tmp_path / "c.yaml") == contract
    result = CliRunner().invoke(contract_app, ["evolve", str(tmp_path / "c.yaml"), str(new), "--write", "--json"])
    changes = json.loads(result.stdout)["changes"]
    written = load_contract(tmp_path / "c.yaml")
    assert changes and check_file(written, new).success and written.reference is not None
    assert all(rule.startswith(("x:", "g:", "rows", "comb", "all")) for rule in written.reference.off)


def test_evolve_cannot_make_up_for_the_label(tmp_path):
    (tmp_path / "x.csv").write_text("a\n1\n2\n")
    contract = Contract(name="c", features={"a": Feature(dtype="int")}, label=Label(name="y", dtype="float"))
    with pytest.raises(DataInvalid, match="'y'"):
        evolve_contract(contract, tmp_path / "x.csv")


def test_commands(tmp_path):
    (tmp_path / "a.yaml").write_text(dump_contract(BASE))
    (tmp_path / "b.yaml").write_text(dump_contract(_changed(a={"max": 20.0})))
    run = CliRunner().invoke
    result = run(contract_app, ["diff", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")])
    assert result.exit_code == 0 and "features.a.max: 10.0 -> 20.0" in result.stdout
    result = run(contract_app, ["export", str(tmp_path / "a.yaml"), "--to", "tfmd", "-o", str(tmp_path / "s.pbtxt")])
    assert "s.pbtxt: a TensorFlow Metadata schema, from contract" in result.stderr
    assert result.exit_code == 0
    result = run(contract_app, ["import", str(tmp_path / "s.pbtxt"), "--label", "y", "-o", str(tmp_path / "c.yaml")])
    assert result.exit_code == 0 and load_contract(tmp_path / "c.yaml").label == BASE.label
    result = run(contract_app, ["export", str(tmp_path / "a.yaml"), "--to", "jsonschema"])
    assert json.loads(result.stdout)["title"] == "base"


@pytest.mark.slow
def test_the_great_expectations_suite_can_be_read_back(tmp_path):
    contract = BASE.model_copy(update={"features": {n: f for n, f in BASE.features.items() if not f.shape}})
    (tmp_path / "a.yaml").write_text(dump_contract(contract))
    result = CliRunner().invoke(contract_app, ["export", str(tmp_path / "a.yaml"), "--to", "gx"])
    tree = json.loads(result.stdout)
    suite = load_gx().ExpectationSuite(name=tree["name"], expectations=tree["expectations"])
    kinds = {e.expectation_type for e in suite.expectations}
    assert {"expect_column_values_to_be_between", "expect_column_values_to_be_in_set"} <= kinds
