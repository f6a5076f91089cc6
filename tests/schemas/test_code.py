"""Code and files of a user's own: found by name, counted by content."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kilnworks.schemas.code import Bytes, Code, called, codes_in, unseen_in
from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import ConfigError, UnknownName

ROOT = Path(__file__).parents[2]


class Holder(Config):
    one: Code | None = None
    several: tuple[Code, ...] = ()
    file: Bytes | None = None


FILES = {
    "codeshop/models.py": "import codeshop.helper\nfrom json import loads\n\n\ndef build(width=3, weights=None):\n"
    "    return width * codeshop.helper.times(), weights\n\n\nclass Net:\n    class Inner:\n        depth = 4\n",
    "codeshop/helper.py": "def times():\n    return 2\n",
    "codeshop/lost.py": "import not_there_at_all\n",
    "codeshop/broken.py": "x = 1 / 0\n",
    "codeshop/reads.py": "import importlib\n\n\ndef f(name):\n    open('out.txt', 'w').close()\n"
    "    return importlib.import_module(name), open('in.txt').read(), importlib.import_module('json')\n",
    "weights.bin": "abc",
}


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A project folder with a package that is in no path of Python."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("KILNWORKS_ROOT", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [n for n in sys.modules if n.partition(".")[0] == "codeshop"]:
        del sys.modules[name]


def identity_in_a_fresh_process(shop: Path, value: str) -> dict:
    read = f"Code.model_validate({value!r})"
    text = f"import json; from kilnworks.schemas.code import Code; print(json.dumps({read}.identity()))"
    env = {"KILNWORKS_ROOT": str(shop), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", text], env=env, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def test_a_bare_text_is_code_and_is_found_in_the_project_folder(shop):
    assert Code.model_validate("codeshop.models:build").load()() == (6, None)
    assert Code.model_validate("codeshop.models:Net.Inner").load().depth == 4


def test_options_are_arguments_and_a_file_among_them_is_a_path(shop):
    code = Code(path="codeshop.models:build", options={"width": 5, "weights": {"kind": "bytes", "path": "weights.bin"}})
    size, path = code.call(width=1, unknown=2)
    assert size == 10 and path.read_text() == "abc"


@pytest.mark.parametrize("written", [{"code": "codeshop.models:build"}, {"path": "codeshop.models:build", "opts": {}}])
def test_other_spellings_of_code_are_refused_with_the_right_one(written):
    with pytest.raises(ValidationError, match=r"or as {'path': 'package.module:name', 'options': ...}; got '"):
        Code.model_validate(written)


def test_an_option_that_the_function_does_not_take_names_the_nearest(shop):
    with pytest.raises(ConfigError, match="did you mean 'width'"):
        Code(path="codeshop.models:build", options={"widht": 5}).call()


def test_a_parameter_that_nothing_is_given_for_is_named():
    with pytest.raises(ConfigError, match="needs 'size'") as caught:
        called(lambda inputs, size: None, "a:b", {}, {"inputs": 1, "task": 2})
    assert "inputs, task" in str(caught.value)


@pytest.mark.slow
def test_a_change_anywhere_below_is_another_identity_and_another_file_is_not(shop):
    before = identity_in_a_fresh_process(shop, "codeshop.models:build")
    (shop / "codeshop/broken.py").write_text("x = 2\n")
    assert identity_in_a_fresh_process(shop, "codeshop.models:build") == before
    (shop / "codeshop/helper.py").write_text("def times():\n    return 3\n")
    after = identity_in_a_fresh_process(shop, "codeshop.models:build")
    assert after["source"] != before["source"] and {**after, "source": 0} == {**before, "source": 0}


def test_an_installed_library_counts_by_its_version():
    import pydantic

    assert Code(path="pydantic:BaseModel").identity()["libraries"] == {"pydantic": pydantic.VERSION}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "error", "says"),
    [
        ("codeshop.modles:build", UnknownName, "did you mean 'codeshop.models'"),
        ("kodeshop.models:build", UnknownName, "did you mean 'codeshop'"),
        ("codeshop.models:bild", UnknownName, "did you mean 'build'"),
        ("codeshop.models:Net.Innr", UnknownName, "did you mean 'Inner'"),
        ("codeshop.lost:x", ConfigError, "No module named 'not_there_at_all'"),
        ("codeshop.broken:x", ConfigError, r"division by zero .*broken\.py line 1"),
    ],
)
def test_what_cannot_be_loaded_says_why(shop, path, error, says):
    with pytest.raises(error, match=says):
        Code(path=path).load()


def test_the_reason_of_a_failed_import_is_kept(shop):
    with pytest.raises(ConfigError) as caught:
        Code(path="codeshop.broken:x").load()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_an_unknown_module_is_refused_before_it_is_loaded(shop):
    with pytest.raises(UnknownName, match=r"codeshop\.models"):
        Code(path="codeshop.modles:build").identity()


@pytest.mark.parametrize("text", ["a.b", "a b:c", "a:", ":b", "a:b:c", "1a:b", "a..b:c", "a:b\n"])
def test_other_texts_are_no_code(text):
    with pytest.raises(ValidationError, match=r"named as 'package\.module:name'"):
        Code.model_validate(text)


def test_a_function_stands_for_its_name_and_a_lambda_is_refused():
    assert Code.model_validate(called) == Code(path="kilnworks.schemas.code:called")
    with pytest.raises(ValidationError, match="cannot be found by name"):
        Code.model_validate(lambda: None)


def test_what_a_fingerprint_cannot_see_is_said(shop):
    said = Code(path="codeshop.reads:f").warnings()
    assert [text.partition(" (")[0] for text in said] == [
        "reads.py line 6 imports a module whose name is made at run time",
        "reads.py line 6 reads a file or address by itself",
    ]
    assert Code(path="codeshop.models:build").warnings() == ()


def test_all_code_in_a_config_is_looked_at(shop):
    reads = Code(path="codeshop.reads:f")
    holder = Holder(
        one="codeshop.models:build", several=(Code(path="codeshop.models:build", options={"deep": [reads]}), reads)
    )
    assert [code.path for code in codes_in(holder)] == ["codeshop.models:build"] * 2 + ["codeshop.reads:f"] * 2
    assert unseen_in(holder) == reads.warnings() and len(reads.warnings()) == 2


def test_a_file_counts_by_its_content_wherever_it_lies(shop):
    (shop / "copy.bin").write_text("abc")
    expected = {"sha256": hashlib.sha256(b"abc").hexdigest()}
    assert Bytes.model_validate("weights.bin").identity() == Bytes(path=str(shop / "copy.bin")).identity() == expected


def test_a_file_that_is_not_there_names_the_nearest(shop):
    with pytest.raises(ConfigError, match=r"did you mean weights\.bin"):
        _ = Bytes(path="weihgts.bin").file


NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,5}(\.[a-z]{1,3}){0,2}:[A-Za-z_]\w{0,5}", fullmatch=True)
FILE = st.builds(lambda p: {"kind": "bytes", "path": p}, st.text(min_size=1, max_size=5))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | FILE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
).filter(lambda v: not isinstance(v, dict) or v.get("kind") != "bytes" or "path" in v)
CODES = st.builds(lambda p, o: Code(path=p, options=o), NAMES, st.dictionaries(st.text(max_size=4), VALUES, max_size=3))


@pytest.mark.slow
@given(st.builds(lambda one, several: Holder(one=one, several=several, file="x"), CODES, st.lists(CODES, max_size=3)))
def test_written_and_read_again_it_is_the_same(holder):
    assert Holder.model_validate(holder.model_dump(mode="json")) == holder
    assert Holder.model_validate_json(holder.model_dump_json()) == holder


def test_a_setting_by_path_keeps_it_code():
    holder = Holder(one="a:b", several=("a:b", Code(path="c:d", options={"x": 1})))
    changed = holder.updated({"one": "e:f", "several.1.options.x": 2})
    assert changed == Holder(one="e:f", several=("a:b", Code(path="c:d", options={"x": 2})))
