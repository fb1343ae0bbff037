"""Nothing secret is left, and a masked call fits its schema exactly as well as it did before."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.harness.fitting import Schema
from plugin.harness.judge import Judge
from plugin.harness.recording.masking import Masker
from plugin.harness.recording.sensitive import Kind, find, is_card, is_iban, is_secret_key
from plugin.messages import Call

SECRETS = [
    "sk-proj-abcdefghijklmnop1234",
    "sk-ant-api03-abcdefghijklmnop1234",
    "gpk_0123456789abcdefghijABCDEFGHIJ012345",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "xoxb-1234567890-abcdefghij",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcDEF123_-",
    "glpat-abcdefghij0123456789",
    "hf_abcdefghijklmnopqrstuvwx",
]
PERSONAL = [
    ("alice.b+news@corp.co.uk", Kind.EMAIL),
    ("+1 (415) 555-2671", Kind.PHONE),
    ("+8613812345678", Kind.PHONE),
    ("138 1234 5678", Kind.PHONE),
    ("415-555-2671", Kind.PHONE),
    ("06 12 34 56 78", Kind.PHONE),
    ("020 7946 0958", Kind.PHONE),
    ("4111 1111 1111 1111", Kind.CARD),
    ("4111111111111111", Kind.CARD),
    ("378282246310005", Kind.CARD),
    ("DE89 3704 0044 0532 0130 00", Kind.IBAN),
    ("GB82WEST12345698765432", Kind.IBAN),
]
HARMLESS = [
    "call_0123456789012345 resp_4111111111111111",
    "2026-11-23T10:00:00+01:00",
    "1795421400",
    "978-3-16-148410-0",
    "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "4111 1111 1111 1112",
    "DE88 3704 0044 0532 0130 00",
    "user@example.com",
    "basic needs and a bearer of bad news",
    "max_tokens=100, page_token=abcdef",
    "+1.23456789 and 12.3456789012345",
    "127.0.0.1",
    "@mention and a@b",
    "gpt-4o-2024-08-06",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("around", ["{}", "use {} now", '{{"x": "{}"}}', "Bearer {}", "key={},"])
def test_keys_are_found_wherever_they_stand(secret: str, around: str) -> None:
    masked = Masker().text(around.format(secret))
    assert secret[-12:] not in masked
    assert masked.startswith(around.partition("{")[0][:1])


@pytest.mark.parametrize(("text", "kind"), PERSONAL)
def test_personal_data_is_found_and_stays_of_its_kind(text: str, kind: Kind) -> None:
    sentence = f"it is {text}, they say"
    (span,) = find(sentence)
    assert (span.kind, sentence[span.start : span.end]) == (kind, text)
    masked = Masker().text(sentence)
    assert text not in masked
    placeholder = masked.removeprefix("it is ").removesuffix(", they say")
    if kind is Kind.CARD:
        assert is_card(placeholder)
        assert len(placeholder) == len(text)
    if kind is Kind.IBAN:
        assert is_iban(placeholder)
    if kind is Kind.PHONE:
        assert [sign.isdigit() for sign in placeholder] == [sign.isdigit() for sign in text]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_neither_secret_nor_personal_stays(text: str) -> None:
    assert Masker().text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "https://user:hunter2@host.io/x",
        "password=hunter2",
        '{"password": "hunter2"}',
        '{\\"api_key\\": \\"hunter2\\"}',
        "Authorization: Bearer hunter2xyz",
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nhunter2 cut off",
        "token : hunter2",
    ],
)
def test_secrets_are_known_by_what_stands_before_them(text: str) -> None:
    assert "hunter2" not in Masker().text(text)


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        *((key, True) for key in ("password", "userPassword", "API-Key", "client_secret", "token")),
        *(
            (key, True)
            for key in ("accessToken", "Authorization", "x-api-key", "pin", "Set-Cookie")
        ),
        *((key, True) for key in ("credentials", "privateKey", "cvv", "session_id", "secrets")),
        *((key, False) for key in ("max_tokens", "next_page_token", "name", "author", "spin")),
        *((key, False) for key in ("tokens", "id", "pagination", "authorId", "keyboard", "monkey")),
    ],
)
def test_keys_that_hold_secrets(key: str, secret: bool) -> None:
    assert is_secret_key(key) is secret


def test_addresses_only_where_it_is_asked_for() -> None:
    text = "from 203.0.113.77 or 2a00:1450:4001::5, not 1.2.3.400"
    assert Masker().text(text) == text
    assert Masker(addresses=True).text(text) == "from 192.0.2.2 or 2001:db8::2, not 1.2.3.400"


def test_values_keep_their_types_and_equal_ones_stay_equal() -> None:
    value = {
        "password": "hunter2",
        "pin": 4711,
        "secret": True,
        "token": None,
        "empty": {"password": ""},
        "credentials": {"user": "bob", "codes": [12345, 67890.5]},
        "mails": ["bob@corp.io", "eve@corp.io", "bob@corp.io"],
        "phone": "555 0199 22",
        "device_phone": "iPhone 15",
        "card": 4111111111111111,
        "bob@corp.io": 1,
        "count": 7,
    }
    masked = Masker().value(value)
    text = json.dumps(masked)
    for secret in ("hunter2", "4711", "bob", "12345", "67890", "eve", "0199", "4111111111111111"):
        assert secret not in text
    assert masked["mails"][0] == masked["mails"][2] != masked["mails"][1]
    assert isinstance(masked["pin"], int)
    assert masked["secret"] is True
    assert masked["token"] is None
    assert masked["empty"] == {"password": ""}
    assert isinstance(masked["credentials"]["codes"][1], float)
    assert masked["device_phone"] == "iPhone 15"
    assert is_card(str(masked["card"]))
    assert masked["count"] == 7
    assert "user1@example.com" in masked
    assert value["password"] == "hunter2", "the original is untouched"


def test_masking_is_deterministic_and_repeatable() -> None:
    value = {"to": [mail for mail, kind in PERSONAL if kind is Kind.EMAIL], "key": SECRETS}
    once = Masker().value(value)
    assert Masker().value(value) == once
    assert Masker().value({"to": once["to"]}) == {"to": once["to"]}, "placeholders stay"


SCHEMA = {
    "type": "object",
    "properties": {
        "to": {"type": "string", "format": "email"},
        "cc": {"type": "array", "items": {"$ref": "#/$defs/mail"}, "uniqueItems": True},
        "department": {"enum": ["sales@corp.io", "it@corp.io"]},
        "phone": {"type": "string", "pattern": r"^\+1\d{10}$"},
        "mobile": {"type": "string", "maxLength": 11},
        "pin": {"type": "integer", "minimum": 1000, "maximum": 9999},
        "otp": {"type": "integer", "maximum": 5},
        "token": {"type": "string", "pattern": "^tok_[a-z0-9]{8}$"},
        "secret": {"type": "string", "format": "uuid"},
        "password": {"type": "string", "minLength": 6, "maxLength": 6},
        "api_key": {"anyOf": [{"const": "public"}, {"type": "string", "pattern": "^[0-9A-F]{8}$"}]},
        "authorization": {"enum": ["none", "basic"]},
        "card": {"type": "string", "pattern": r"^4\d{15}$"},
        "note": {"type": "string"},
    },
    "required": ["to"],
    "$defs": {"mail": {"type": "string", "pattern": "@corp\\.io$"}},
}
GOOD = {
    "to": "alice@corp.io",
    "cc": ["bob@corp.io", "eve@corp.io"],
    "department": "sales@corp.io",
    "phone": "+14155552671",
    "mobile": "13812345678",
    "pin": 4711,
    "otp": 5,
    "token": "tok_ab12cd34",
    "secret": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "password": "abc123",
    "api_key": "DEADBEEF",
    "authorization": "basic",
    "card": "4111111111111111",
    "note": "call +1 415 555 2671 or write to alice@corp.io",
}


def kinds(schema: Any, arguments: Any) -> list[tuple[str, str]]:
    (verdict,) = Judge({"t": schema}).judge([Call(None, "t", arguments)])
    return [(fault.fault, fault.pointer) for fault in verdict.faults]


def test_a_masked_call_fits_its_schema() -> None:
    masked = Masker().arguments(Schema("t", SCHEMA), GOOD)
    assert kinds(SCHEMA, masked) == []
    assert masked["department"] == "sales@corp.io", "the document lists it"
    assert masked["authorization"] == "basic"
    for name in GOOD.keys() - {"department", "authorization"}:
        assert masked[name] != GOOD[name], name
    assert "alice" not in json.dumps(masked)
    assert len(set(masked["cc"])) == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"to": None},
        {"pin": "4711"},
        {"pin": 10_000},
        {"department": "Sales@corp.io"},
        {"cc": "bob@corp.io"},
        {"Password": "abc123"},
        {"unknown_token": "abc123"},
        {"card": "4111-1111-1111-1111"},
        {"token": "TOK_AB12CD34"},
        {"password": "abc1234"},
        {"otp": 123456},
    ],
)
def test_a_wrong_call_stays_wrong_in_the_same_way(changed: dict[str, Any]) -> None:
    arguments = {**GOOD, **changed}
    masked = Masker().arguments(Schema("t", SCHEMA), arguments)
    before = kinds(SCHEMA, arguments)
    assert before
    assert kinds(SCHEMA, masked) == before


def test_parallel_calls_do_not_become_duplicates() -> None:
    masker, schema = Masker(), Schema("t", {"type": "object"})
    calls = [{"password": f"password{number:04}"} for number in range(300)]
    masked = {json.dumps(masker.arguments(schema, call)) for call in calls}
    assert len(masked) == 300


def test_arguments_that_are_no_json_stay_none() -> None:
    schema = Schema("t", SCHEMA)
    for text in ('{"to": "alice@corp.io"', '{"to": "alice@corp.io"} // hi', "alice@corp.io", ""):
        masked = Masker().arguments_text(schema, text)
        assert "alice" not in masked
        assert kinds(SCHEMA, masked) == kinds(SCHEMA, text)
    untouched = '{ "to" :  "user@example.com" }'
    assert Masker().arguments_text(schema, untouched) is untouched


def test_declared_tools_keep_their_promises_and_lose_their_secrets() -> None:
    tools = [
        {"type": "function", "function": {"name": "t", "parameters": SCHEMA}},
        {
            "name": "t",
            "input_schema": {
                "properties": {
                    "password": {"type": "string", "default": "hunter2"},
                    "mail": {"description": "as bob@corp.io", "enum": ["bob@corp.io"]},
                },
            },
        },
        {"type": "mcp", "authorization": "hunter2", "headers": {"X-Api-Key": "hunter2"}},
        {"functionDeclarations": [{"name": "t", "parameters": {"type": "OBJECT"}}]},
    ]
    masked = Masker().tools(tools)
    assert masked[0] == tools[0]
    assert masked[3] == tools[3]
    assert "hunter2" not in json.dumps(masked)
    mail = masked[1]["input_schema"]["properties"]["mail"]
    assert mail == {"description": "as user1@example.com", "enum": ["bob@corp.io"]}


def test_long_texts_take_little_time() -> None:
    for sign in ("a", "1", "1 ", "a.", "+", "A1", "-", ":", "eyJ"):
        Masker(addresses=True).text(sign * (300_000 // len(sign)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["password", "a", "pin", "email"]) | st.text(), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(JSON)
def test_any_value_keeps_its_shape(value: Any) -> None:
    def shape(part: Any) -> Any:
        if isinstance(part, dict):
            return [shape(one) for one in part.values()]
        if isinstance(part, list):
            return [shape(one) for one in part]
        return type(part)

    assert shape(Masker().value(value)) == shape(value)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80))
def test_any_text_can_be_masked_twice(text: str) -> None:
    masked = Masker(addresses=True).text(text)
    assert Masker(addresses=True).text(masked) is not None
    if not find(text, addresses=True):
        assert masked == text
