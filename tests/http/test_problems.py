"""Refusals become answers: one status each, tiny, and without a word too many."""

import json

import pytest

from ota_http_server.domain import errors
from ota_http_server.http.exchange import REASONS
from ota_http_server.http.problems import problem, status_of

EXPECTED = {
    errors.Invalid: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.NotJson: 415,
    errors.Unfit: 422,
    errors.Unavailable: 503,
    errors.DiskFull: 507,
}


@pytest.mark.parametrize(("kind", "status"), EXPECTED.items())
def test_each_refusal_has_its_status(kind, status):
    reply = problem(kind("the reason"))

    assert reply.status == status
    assert json.loads(reply.body[0])["status"] == status
    assert ("Content-Type", "application/problem+json") in reply.headers
    assert ("Cache-Control", "no-store") in reply.headers


def test_every_refusal_of_the_domain_is_known_and_has_a_reason_phrase():
    refusals = [kind for kind in vars(errors).values() if is_refusal(kind)]

    for kind in refusals:
        assert status_of(kind.__new__(kind)) in REASONS


def is_refusal(thing):
    return isinstance(thing, type) and issubclass(thing, errors.Refusal)


def test_a_special_kind_of_refusal_has_the_status_of_its_family():
    class Damaged(errors.Unfit):
        """Unfit in its own way."""

    assert status_of(Damaged("why")) == 422


def test_the_reason_is_told_except_to_who_is_not_authenticated():
    assert json.loads(problem(errors.NotFound("no such file")).body[0])["detail"] == "no such file"
    assert b"expired" not in problem(errors.Unauthenticated("the token has expired")).body[0]


def test_a_challenge_names_an_error_only_where_a_credential_was_shown():
    shown, none = (problem(errors.Unauthenticated("x", shown=shown)) for shown in (True, False))

    assert dict(shown.headers)["WWW-Authenticate"] == 'Bearer realm="ota", error="invalid_token"'
    assert dict(none.headers)["WWW-Authenticate"] == 'Bearer realm="ota"'
    assert shown.body == none.body


def test_who_came_too_often_or_too_early_is_told_when_to_come_again():
    assert dict(problem(errors.TooMany("x", 7)).headers)["Retry-After"] == "7"
    assert int(dict(problem(errors.Unavailable("x")).headers)["Retry-After"]) > 0
