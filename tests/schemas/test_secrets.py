"""Secrets: one type in settings, one function that hides them in texts."""

import base64
import json
import logging
import pickle
import re
import time
import unicodedata
from urllib.parse import quote

import pytest
import yaml
from pydantic import ValidationError

from kilnworks.schemas.config import Config, Secret, SecretUrl
from kilnworks.schemas.errors import ConfigError, KilnworksError
from kilnworks.schemas.logs import SafeFormatter
from kilnworks.schemas.masking import masked, masked_tree, remember

PLANTED = "Kx7!pl@nted/sec#ret"


class Reader(Config):
    """A component of a user's own."""

    url: SecretUrl = SecretUrl("postgresql://reader:${SHOP_PASSWORD}@host/shop")
    """Where."""
    token: Secret | None = None
    """Signs in."""
    rows: int = 3
    """How many."""
    plain_password: str = ""
    """Somebody wrote it as a text."""


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("postgresql://u:s3cretpw@h/d", "s3cretpw"),
        ("postgresql://u:s3c/r@et@h/d", "s3c/r@et"),
        ("redis://:s3cretpw@h/0", "s3cretpw"),
        ("https://ghp_abcdefghijklmnop1234@git.example/x", "ghp_abcdefghijklmnop1234"),
        ("https://h/x?password=s3cretpw&a=1", "s3cretpw"),
        ("https://h/x?a=1&token=s3cretpw", "s3cretpw"),
        ("https://h/x?sv=1&sig=ab%2Bcd%3D", "ab%2Bcd%3D"),
        ("https://h/x?X-Amz-Signature=abcdef&X-Amz-Security-Token=ghijkl", "ghijkl"),
        ("s3://b/k?secret_access_key=s3cretpw", "s3cretpw"),
        ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=s3cretpw==;E=x", "s3cretpw"),
        ("mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3BPWD%3Ds3cretpw%3BUID%3Du", "s3cretpw"),
        ("could not sign in: host=h user=u password=s3cretpw dbname=d", "s3cretpw"),
        ("Authorization: Bearer s3cretpw", "s3cretpw"),
        ("{'user': 'u', 'password': 's3cret pw'}", "s3cret pw"),
        ("--set examples.source.api_key=s3cretpw --set a.rows=3", "s3cretpw"),
    ],
)
def test_what_stands_where_secrets_stand_is_hidden(text, hidden):
    assert hidden not in masked(text)
    assert "***" in masked(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8500/v1/models/a@b",
        "postgresql://u:${PASSWORD}@h/d?password=${OTHER}",
        "password: Field required",
        "--set model.max_tokens=512",
        "s3://bucket/kilnworks",
        "the key 'token' is not known",
        "mail a@b.example, see http://h:80/",
    ],
)
def test_other_texts_stay(text):
    assert masked(text) == text


def test_a_revealed_secret_is_hidden_in_every_spelling(monkeypatch):
    monkeypatch.setenv("SHOP_PASSWORD", PLANTED)
    url = Reader().url
    revealed = url.reveal()
    assert revealed == f"postgresql://reader:{quote(PLANTED, safe='')}@host/shop"
    pair = base64.b64encode(f"reader:{PLANTED}".encode()).decode()
    spelled = [PLANTED, quote(PLANTED, safe=""), base64.b64encode(PLANTED.encode()).decode(), json.dumps(PLANTED), pair]
    for text in spelled:
        assert masked(f"the driver says {text}!").startswith("the driver says ")
        assert text.strip('"') not in masked(f"the driver says {text}!")


@pytest.mark.parametrize("given", [PLANTED, Secret(PLANTED)])
def test_a_plain_secret_is_never_shown(given):
    config = Reader(token=given, url=f"postgresql://u:{PLANTED}@h/d", plain_password=PLANTED)
    shown = [repr(config), str(config), f"{config.token} {config.url}", config.model_dump_json()]
    shown += [json.dumps(config.without_secrets()), repr(config.identity()), str(config.model_dump())]
    assert config.token is not None and config.token.reveal() == PLANTED
    plain = [text for text in shown if PLANTED in text]
    assert len(plain) == 5 and all("plain_password" in text for text in plain), "only the field of type str shows it"
    assert PLANTED not in json.dumps(config.without_secrets())
    assert "secrets" not in Reader.model_json_schema() and PLANTED not in json.dumps(Reader.model_json_schema())


def test_another_secret_is_the_same_fingerprint_and_another_host_is_not():
    def identity(url, token):
        return Reader(url=url, token=token).identity()

    assert identity("postgresql://u:one@h/d", "a") == identity("postgresql://u:${TWO}@h/d", "${B}")
    assert identity("postgresql://u:one@h/d", "a") != identity("postgresql://u:one@other/d", "a")


def test_references_are_resolved_late(monkeypatch, tmp_path):
    file = tmp_path / "secret"
    file.write_text("of a file\n")
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", "postgres://me:p%40ss@db:5433/sales?sslmode=require")
    monkeypatch.setenv(
        "AIRFLOW_CONN_LAKE",
        json.dumps({"conn_type": "aws", "login": "id", "password": "k3y", "extra": '{"region": "x"}'}),
    )
    monkeypatch.setenv("AIRFLOW_VAR_PIN", "1234")
    assert Secret.file(file).reveal() == "of a file"
    assert Secret.connection("shop").reveal() == "postgresql://me:p%40ss@db:5433/sales?sslmode=require"
    assert Secret.connection("shop", "password").reveal() == "p@ss"
    assert Secret.connection("lake", "region").reveal() == "x"
    assert Secret.variable("pin").reveal() == "1234"
    assert str(SecretUrl.env("SHOP")) == "${SHOP}"
    for lacking in ("${NOT_THERE}", "${file:/not/there}", "${connection:nope}", "${connection:shop.nope}", "${x:y}"):
        with pytest.raises(ConfigError) as caught:
            Secret(lacking).reveal()
        assert caught.value.fix and "\n" not in caught.value.got


def test_a_masked_value_given_back_is_refused_when_used():
    stored = Reader(url="postgresql://u:secretpw@h/d").model_dump(mode="json")
    again = Reader.model_validate(stored)
    with pytest.raises(ConfigError, match="hidden when it was stored"):
        again.url.reveal()


def test_errors_hide_secrets_and_are_short():
    error = KilnworksError(
        "no answer of postgresql://u:s3cretpw@h/d", "x" * 25_000_000, "", {"url": "https://h?sig=abcdef"}
    )
    assert "s3cretpw" not in str(error.record()) and "abcdef" not in str(error.record())
    assert len(str(error)) < 21_000
    with pytest.raises(ConfigError) as caught:
        Reader().updated({"token": ["s3cretpw"]})
    assert "s3cretpw" not in str(caught.value)
    with pytest.raises(ValidationError):
        Reader(url="")


def test_pickled_and_equal():
    assert pickle.loads(pickle.dumps(Secret(PLANTED))) == Secret(PLANTED)
    assert Secret("a") != Secret("b") and Secret("a") != SecretUrl("a")


def test_logs_hide_secrets_and_keep_their_lines():
    log = SafeFormatter(logging.Formatter("%(levelname)s %(message)s"))
    record = logging.makeLogRecord(
        {
            "msg": "read %s from %s",
            "args": ("a\nERROR forged\x1b[2J", "postgresql://u:s3cretpw@h/d"),
            "levelname": "INFO",
        }
    )
    assert log.format(record) == r"INFO read a\nERROR forged\x1b[2J from postgresql://u:***@h/d"


def test_names_of_secrets():
    tree = masked_tree(
        {"a": {"api_key": "x1", "pad_token": "[PAD]", "password": "${NAME}", "rows": 3, "AccountKey": "y"}}
    )
    assert tree == {
        "a": {"api_key": "***", "pad_token": "[PAD]", "password": "${NAME}", "rows": 3, "AccountKey": "***"}
    }


def test_masking_is_linear():
    def seconds(text):
        began = time.process_time()
        masked(text)
        return time.process_time() - began

    for piece in ("://a:", '"password":"', "password=", "authorization: ", "?sig="):
        assert seconds(piece * 16_000) < 40 * (seconds(piece * 1_000) + 0.01), piece


OUTSIDE = ("péché-d'été", "пароль-12345", "pa\\ss\u0301wörd", "schlüssel😀x", '<ß&"quoted">')


@pytest.mark.parametrize("secret", OUTSIDE)
def test_letters_outside_of_ascii_are_hidden_in_every_form(secret):
    """As JSON, YAML, Python, HTML and URLs write them, composed or not, and as JSON inside of JSON."""
    remember(secret)
    composed = [unicodedata.normalize(form, secret) for form in ("NFC", "NFD")]
    for text in (secret, *composed):
        in_json = json.dumps({"x": text})
        shown = [
            text,
            in_json,
            json.dumps(in_json),
            json.dumps({"x": text}, ensure_ascii=False),
            re.sub(r"(?<=\\u)[0-9a-f]{4}", lambda code: code[0].upper(), in_json),
            yaml.safe_dump({"x": text}, width=10_000),
            yaml.dump(text, allow_unicode=False, default_style='"', width=10_000),
            ascii(text),
            repr([text]),
            quote(text),
            re.sub("%..", lambda code: code[0].lower(), quote(text)),
            "".join(c if c.isascii() else f"&#{ord(c)};" for c in text),
        ]
        for line in shown:
            hidden = masked(f"before {line} after")
            assert "***" in hidden, (line, hidden)
            for code in ("\\u", "\\x", "%c3", "%C3", "&#", "ö", "é", "ß", "п", "😀"):
                assert code not in hidden, (line, hidden)


@pytest.mark.parametrize("turn", ["one that remembers", "the next"])
def test_a_test_leaves_no_secret_to_the_next(turn):
    assert masked("a left-behind word") == "a left-behind word", turn
    remember("left-behind")
    assert masked("a left-behind word") == "a *** word"
