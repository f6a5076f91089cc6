"""The callers file: what it may hold, when it counts, and who is let in."""

import hashlib
import json
from pathlib import Path

import pytest

from kilnworks.components.serving.errors import Code, ServingError
from kilnworks.components.serving.settings.callers import ANYBODY, CallersFile
from kilnworks.components.serving.settings.flags import parse_flags
from kilnworks.schemas.errors import ConfigError


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def entry(token: str, *models: str, **more: object) -> dict[str, object]:
    return {"name": token[:4], "token_sha256": digest(token), "models": list(models), **more}


def written(path: Path, *callers: dict[str, object]) -> Path:
    path.write_text(json.dumps({"callers": callers}))
    return path


def code(known: CallersFile, authorization: str, model: str = "m") -> str:
    try:
        known.caller(authorization).check(model)
    except ServingError as error:
        return error.code.name
    return "OK"


def test_who_is_let_in(tmp_path: Path) -> None:
    known = CallersFile(written(tmp_path / "callers", entry("shop-1", "m", "n"), entry("ops-2", "*", reload=True)))
    assert [code(known, "Bearer shop-1", model) for model in ("m", "n", "o", "*", "")] == [
        *["OK"] * 2,
        *["PERMISSION_DENIED"] * 3,
    ]
    assert [code(known, "bearer  ops-2 ", model) for model in ("m", "", "x")] == ["OK"] * 3
    wrong = ["", "Bearer", "Bearer ", "Bearer x", "Basic shop-1", "shop-1", "Bearer shop-1 ops-2", "Bearer \udcff\xe9"]
    assert [code(known, text) for text in [*wrong, f"Bearer {digest('ops-2')}"]] == ["UNAUTHENTICATED"] * 9
    known.caller("Bearer ops-2").check_reload()
    with pytest.raises(ServingError, match="shop may not change") as found:
        known.caller("Bearer shop-1").check_reload()
    assert found.value.code is Code.PERMISSION_DENIED
    ANYBODY.check("whatever")
    ANYBODY.check_reload()


def test_yaml_as_it_stands_in_the_docs(tmp_path: Path) -> None:
    path = tmp_path / "callers.yaml"
    path.write_text(f"callers:\n  - name: shop\n    token_sha256: {digest('t')}\n    models: [m]\n")
    assert code(CallersFile(path), "Bearer t") == "OK"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_changed_file_counts_and_a_wrong_one_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, path = Clock(), written(tmp_path / "callers", entry("one", "m"))
    known = CallersFile(path, clock)
    written(path, entry("two", "m"))
    assert (code(known, "Bearer one"), code(known, "Bearer two")) == ("OK", "UNAUTHENTICATED"), "not looked at yet"
    clock.now += 1
    assert (code(known, "Bearer two"), code(known, "Bearer one")) == ("OK", "UNAUTHENTICATED")
    for wrong in ("callers: [", "{}", "", "callers: [{name: secret-token}]"):
        path.write_text(wrong)
        clock.now += 1
        assert code(known, "Bearer two") == "OK"
    path.unlink()
    clock.now += 1
    assert code(known, "Bearer two") == "OK"
    assert caplog.text.count("the callers of before stay") == 5
    other = written(tmp_path / "new", entry("three", "m"))
    other.replace(path)
    clock.now += 1
    assert (code(known, "Bearer three"), code(known, "Bearer two")) == ("OK", "UNAUTHENTICATED")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file"),
        ("[]", "the file"),
        ("callers: {}", "callers: "),
        ("callers: [{name: a}]", r"callers\.0\.token_sha256: Field required \(64 hexadecimal digits"),
        ("callers: [{name: a, token_sha256: s3cret, models: [m]}]", r"callers\.0\.token_sha256: .*pattern"),
        (f"callers: [{{name: a, token_sha256: {'1' * 64}, models: [m]}}]", r"token_sha256: .*string.*between quotes"),
        (f"callers: [{{name: a, token_sha256: '{'a' * 64}', models: m}}]", r"callers\.0\.models"),
        (f"callers: [{{name: a, token_sha256: '{'a' * 64}', models: [m], relaod: true}}]", "relaod"),
        (f"callers: [{{name: a, token_sha256: '{'a' * 64}', models: [m], reload: 'yes'}}]", "reload"),
        ("callers: [", "line 1: no YAML"),
        ("callers: 2024-99-99", "no YAML"),
        ("callers: " + "[" * 5000, "no YAML|nested"),
        ("callers: [{name: a, name: [x]}]", "callers"),
        ("!!python/object/apply:os.system ['true']", "no YAML"),
        ("\x00", "no YAML"),
        (" " * 2**20 + "x", "more than 1048576 bytes"),
    ],
)
def test_files_that_hold_no_callers(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "callers"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as found:
        CallersFile(path)
    assert "s3cret" not in str(found.value)
    assert "--callers_file" in str(found.value) or "another file" in str(found.value)


def test_one_header_is_read_for_one_purpose() -> None:
    with pytest.raises(ConfigError, match="both read the Authorization"):
        parse_flags(["--callers_file=c", "--reload_config=token"])


def test_two_callers_with_one_token_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the same token"):
        CallersFile(written(tmp_path / "callers", entry("a", "m"), entry("a", "n")))
    with pytest.raises(ConfigError, match="No such file"):
        CallersFile(tmp_path / "none")
