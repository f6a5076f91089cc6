"""TensorFlow Metadata schemas: our own come back as they went; of others everything is kept or listed."""

import importlib.util

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from kilnworks.components.quality.contracts.json_schema import export_json_schema
from kilnworks.components.quality.contracts.tfmd import export_schema
from kilnworks.components.quality.contracts.tfmd_read import import_schema
from kilnworks.pipelines.cli.contract import contract_app
from kilnworks.schemas.contract import Contract, Feature, Label, RowCount, load_contract
from kilnworks.schemas.errors import ContractError

SHARES = [None, 0.0, 0.29, 1 / 3, 0.5, 1.0]


@st.composite
def features(draw: st.DrawFn) -> Feature:
    dtype = draw(st.sampled_from(["float", "int", "bool", "string", "datetime", "image"]))
    rules: dict = {"dtype": dtype, "nullable": draw(st.booleans())}
    rules |= {"severity": draw(st.sampled_from(["critical", "warning"])), "unit": draw(st.sampled_from(["", "m"]))}
    rules |= {"description": draw(st.sampled_from(["", 'Said "so", ä.'])), "sensitive": draw(st.booleans())}
    if rules["nullable"]:
        rules["max_missing"] = draw(st.sampled_from(SHARES))
    shaped = dtype == "image" or (dtype in ("float", "int") and draw(st.booleans()))
    if shaped:
        rules["shape"] = (2, 3, 1) if dtype == "image" else draw(st.sampled_from([(1,), (4,), (2, 3)]))
    if dtype in ("float", "int", "image"):
        rules |= {"min": draw(st.sampled_from([None, 0.0, 3.0])), "max": draw(st.sampled_from([None, 3.0, 9.0]))}
        if not shaped and draw(st.booleans()):
            rules["allowed"] = (3, 5) if dtype == "int" else (3.0, 4.5)
    if dtype == "string":
        rules["allowed"] = draw(st.sampled_from([None, ("a",), ("b", "ä", "1")]))
        rules |= {"min_length": draw(st.sampled_from([None, 1])), "max_length": draw(st.sampled_from([None, 4]))}
        rules["regex"] = draw(st.sampled_from([None, r"[a-z]\d"]))
    if not shaped:
        rules["unique"] = draw(st.booleans())
    return Feature(**rules)


LABELS = [
    None,
    Label(name="y", dtype="int", classes=(3, 1, 2)),
    Label(name="y", dtype="string", classes=("no", "yes"), description="Left?"),
    Label(name="y", dtype="bool", classes=(True, False)),
    Label(name="y", dtype="float", min=0, unit="USD"),
]


@pytest.mark.slow
@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["a", "b c", "ä"]), features(), min_size=1),
    st.sampled_from(LABELS),
    st.sampled_from([None, "id"]),
    st.sampled_from([None, "at", "a"]),
)
def test_our_own_export_comes_back_as_it_went(made, label, key, time):
    rules = {"rows": RowCount(min=3), "on_bad_rows": "quarantine", "ignore": ("x",)}
    contract = Contract(name="c", description="D", features=made, label=label, key=key, time=time, **rules)
    back = import_schema(export_schema(contract).text, "another")
    assert back.contract == contract and back.left_out == ()


FOREIGN = """
feature { name: "kept" type: INT presence { min_fraction: 1 min_count: 1 } int_domain { min: 1 max: 9 } }
feature { name: "list" type: FLOAT value_count { min: 2 max: 5 } }
feature { name: "four" type: FLOAT value_count { min: 4 max: 4 } presence { min_fraction: 1 } }
feature { name: "maybe" type: INT value_count { min: 0 max: 1 } presence { min_fraction: 1 } }
feature { name: "group" type: FLOAT group_presence { required: true } shape { dim { size: 1 } } }
feature { name: "pixels" type: BYTES image_domain { minimum_supported_image_fraction: 0.5 } }
feature { name: "codes" type: INT int_domain { is_categorical: true min: 0 } }
feature { name: "words" type: BYTES domain: "w" distribution_constraints { min_domain_mass: 0.9 } }
feature { name: "nobody" type: BYTES domain: "gone" }
feature { name: "served" type: FLOAT not_in_environment: "SERVING" in_environment: "TRAINING" }
feature { name: "nested" type: STRUCT struct_domain { feature { name: "inner" type: INT } } }
feature { name: "drifts" type: FLOAT drift_comparator { infinity_norm { threshold: 0.1 } } }
feature { name: "skews" type: FLOAT skew_comparator { jensen_shannon_divergence { threshold: 0.1 } } }
feature { name: "some" type: INT presence { min_fraction: 0.8 min_count: 20 } }
feature { name: "few" type: BYTES unique_constraints { min: 2 max: 5 } }
feature { name: "old" type: INT deprecated: true }
feature { name: "planned" type: INT lifecycle_stage: PLANNED }
feature { name: "prose" type: BYTES natural_language_domain { } }
feature { name: "link" type: BYTES url_domain { } }
feature { name: "day" type: BYTES time_domain { string_format: "%Y/%m/%d" } }
feature { name: "moment" type: INT time_domain { integer_format: UNIX_MILLISECONDS } }
feature { name: "noted" type: INT annotation { tag: "team-a" comment: "A note." } }
feature { name: "finite" type: FLOAT float_domain { disallow_nan: true disallow_inf: true min: inf } }
feature { name: "truth" type: BYTES bool_domain { true_value: "on" false_value: "off" } }
feature { name: "open" type: FLOAT shape { dim { size: -1 } } }
string_domain { name: "w" value: "x" value: "y" }
sparse_feature { name: "sparse" index_feature { name: "i" } value_feature { name: "v" } }
default_environment: "TRAINING"
dataset_constraints { min_examples_count: 5 }
"""
LISTED = {
    "list": "value_count",
    "group": "group_presence",
    "pixels": "image_domain",
    "codes": "is_categorical",
    "words": "min_domain_mass",
    "nobody": "domain 'gone'",
    "served": "environment",
    "nested": "STRUCT",
    "drifts": "drift_comparator",
    "skews": "skew_comparator",
    "some": "min_count 20",
    "few": "unique_constraints",
    "old": "DEPRECATED",
    "planned": "PLANNED",
    "prose": "natural_language_domain",
    "link": "url_domain",
    "day": "string_format",
    "moment": "UNIX_MILLISECONDS",
    "noted": "annotation.tag 'team-a'",
    "finite": "disallow_nan",
    "open": "dimension without a size",
    "sparse": "sparse feature",
    "schema": "default_environment",
}


def test_what_a_contract_cannot_say_is_listed_line_by_line(tmp_path):
    (tmp_path / "schema.pbtxt").write_text(FOREIGN)
    command = ["import", str(tmp_path / "schema.pbtxt"), "-o", str(tmp_path / "c.yaml"), "--label", "kept"]
    said = CliRunner().invoke(contract_app, command)
    assert said.exit_code == 0, said.output
    lines = [line.strip() for line in said.stderr.splitlines()]
    for name, words in LISTED.items():
        assert any(line.startswith(f"{name}: ") and words in line for line in lines), (name, lines)
    assert any("dataset_constraints" in line for line in lines)
    assert not any(line.startswith(("kept", "four", "maybe", "truth")) for line in lines)
    contract = load_contract(tmp_path / "c.yaml")
    assert contract.label == Label(name="kept", dtype="int", classes=tuple(range(1, 10)))
    kept = contract.features
    assert {"nested", "old", "planned", "sparse"} & kept.keys() == set()
    assert kept["four"] == Feature(dtype="float", shape=(4,))
    assert kept["maybe"] == Feature(dtype="int", nullable=True)
    assert kept["words"] == Feature(dtype="string", nullable=True, allowed=("x", "y"), severity="warning")
    assert kept["some"] == Feature(dtype="int", nullable=True, max_missing=0.2)
    assert kept["day"].dtype == kept["moment"].dtype == "datetime"
    assert kept["truth"].allowed == ("off", "on")
    assert not kept["few"].unique and kept["finite"].min is None
    assert kept["noted"].description == "A note."


def test_a_feature_twice_or_none_at_all_is_refused():
    with pytest.raises(ContractError, match="there twice"):
        import_schema('feature { name: "a" type: INT } feature { name: "a" type: INT }', "x")
    with pytest.raises(ContractError, match="no feature"):
        import_schema('feature { name: "a" type: STRUCT }', "x")


CONTRACT = Contract(
    name="c",
    key="id",
    features={
        "n": Feature(dtype="int", min=0, max=9),
        "s": Feature(dtype="string", allowed=("a", "b"), nullable=True),
        "v": Feature(dtype="float", shape=(2,)),
        "t": Feature(dtype="string", regex="[a-z]", unique=True),
    },
    label=Label(name="y", dtype="string", classes=("no", "yes")),
)


def test_the_tool_of_that_format_reads_the_export():
    """TensorFlow Data Validation where it is installed; else the library that defines the format."""
    text = export_schema(CONTRACT).text
    if importlib.util.find_spec("tensorflow_data_validation"):
        import tensorflow_data_validation as tfdv

        assert {f.name for f in tfdv.load_schema_text(text).feature} == {"id", "n", "s", "v", "t", "y"}
        return
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    schema = text_format.Parse(text, schema_pb2.Schema())
    found = {f.name: f for f in schema.feature}
    assert set(found) == {"id", "n", "s", "v", "t", "y"}
    assert (found["n"].int_domain.min, found["n"].int_domain.max) == (0, 9)
    assert list(found["s"].string_domain.value) == ["a", "b"] and found["s"].presence.min_fraction == 0
    assert [d.size for d in found["v"].shape.dim] == [2]
    assert not found["t"].HasField("unique_constraints"), "there it is a number of different values"
    assert list(found["y"].string_domain.value) == ["no", "yes"]


def test_json_schema_judges_rows_as_the_contract_does_and_says_what_it_lacks():
    exported = export_json_schema(CONTRACT)
    judge = Draft202012Validator(exported.tree)
    good = {"id": "k", "n": 3, "s": None, "v": [0.5, 1], "t": "a1", "y": "no"}
    assert judge.is_valid(good)
    for column, value in {"n": 10, "s": "c", "v": [1.0], "t": "1", "y": "maybe"}.items():
        assert not judge.is_valid({**good, column: value}), column
    assert not judge.is_valid({**good, "t": ""}), "an empty text is missing"
    assert judge.is_valid({k: v for k, v in good.items() if k != "y"}), "a row to be predicted"
    assert exported.left_out == (
        "t: no value twice: a schema sees one row",
        "id: no value twice: a schema sees one row",
        "y: never missing: a row to be predicted has no label",
    )
