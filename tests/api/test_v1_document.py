"""The OpenAPI document says what the routes are, and what they answer."""

import re

import pytest

from ota_http_server.api.v1.document import document, operations
from ota_http_server.api.v1.nouns import NOUNS
from ota_http_server.api.v1.reading import tables

BASE = "/api/v1"


def test_the_document_names_every_route_and_no_other(api):
    rules = {
        (method, re.sub(r"<(\w+)>", r"{\1}", rule.rule.removeprefix(BASE)))
        for rule in api.ota.app.url_map.iter_rules()
        for method in rule.methods - {"HEAD"}
        if rule.rule.startswith(f"{BASE}/")
    }
    described = {(method, path) for method, path, _ in operations(document())}

    assert rules - described == {("GET", "/"), ("GET", "/openapi.json")}
    assert described - rules == set()


def test_it_is_served_to_everybody_and_is_the_same_each_time(api):
    answer = api.nobody().get("/openapi.json")

    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.json == document() == document()
    assert answer.json["openapi"] == "3.1.0"
    assert answer.json["servers"] == [{"url": BASE}]


def test_every_call_says_what_it_does_in_a_sentence():
    for method, path, operation in operations(document()):
        assert re.fullmatch(r"[A-Z][^.]{8,90}", operation["summary"]), (method, path)
        assert operation["x-role"] in ("viewer", "publisher", "operator", "admin")


def test_no_two_calls_have_one_name():
    names = [operation["operationId"] for _, _, operation in operations(document())]

    assert len(set(names)) == len(names) > 10


def test_every_reference_leads_somewhere():
    described = document()
    named = set(re.findall(r"#/components/schemas/(\w+)", str(described)))

    assert named == set(described["components"]["schemas"])


def test_only_words_of_ours_are_in_bodies(api):
    """A body or an answer may hold nothing that the document does not name."""
    for name, schema in document()["components"]["schemas"].items():
        assert schema["additionalProperties"] is False, name


def test_every_answer_of_lists_is_told_field_by_field():
    described = document()
    for noun in NOUNS:
        for endpoint in noun.endpoints:
            operation = described["paths"][endpoint.path][endpoint.method.lower()]
            assert (endpoint.tells is None) or dict(tables(operation, described))["Answer"]


def test_the_page_is_the_document_without_a_script(api):
    for path in ("/", BASE):
        answer = api.nobody().get(path)

        assert answer.status_code == 200
        assert answer.content_type == "text/html; charset=utf-8"
    page = answer.get_data(as_text=True)
    policy = answer.headers["Content-Security-Policy"]
    assert "script" not in page.lower().replace("description", "")
    assert re.search(r"default-src 'none'.*style-src 'sha256-", policy)
    assert "unsafe" not in policy
    for _, path, operation in operations(document()):
        assert f'id="{operation["operationId"]}"' in page
        assert path in page


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_what_describes_is_only_read(api, method):
    assert api.ask(method, "/openapi.json").status_code == 405
