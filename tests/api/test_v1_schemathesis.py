"""Schemathesis: what the document allows and what it does not is sent, and every answer compared.

No call ends in a 5xx, and no answer has a status, a media type, a header or a body that the
document does not name. The same examples come at each run.
"""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation import GenerationMode

from ota_http_server.api.v1.document import document, operations
from tests.api.there import things
from tests.instance import ADMIN_SECRET, Instance

EXAMPLES = 25

load_all_checks()
CHECKED = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "unsupported_method",
    ]
)


CALLS = [(method, path) for method, path, _ in operations(document())]


@pytest.fixture(name="ota", scope="module")
def an_instance(tmp_path_factory):
    with Instance(tmp_path_factory.mktemp("ota")) as ota:
        yield ota


@pytest.fixture(scope="module")
def schema(ota):
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", ota.app)


@pytest.fixture(name="there")
def things_that_are_there(ota):
    """Whatever an earlier test removed comes back."""
    return things(ota)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), CALLS)
def test_every_call_answers_as_the_document_says(schema, there, method, path, mode):
    check(schema[path][method], mode)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), [call for call in CALLS if "{" in call[1]])
def test_so_does_a_call_about_something_that_is_there(schema, there, method, path, mode):
    named = {name: value for name, value in there.items() if f"{{{name}}}" in path}
    assert len(named) == path.count("{")

    check(schema[path][method], mode, path_parameters=named)


def check(operation, mode, **fixed):
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate),
    )
    @given(operation.as_strategy(generation_mode=mode, **fixed))
    def checked(case):
        case.call_and_validate(headers={"X-Admin-Secret": ADMIN_SECRET}, checks=CHECKED)

    try:
        checked()
    except Unsatisfiable:
        pytest.skip("whatever is sent here is right")
