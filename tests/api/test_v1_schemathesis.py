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
from ota_http_server.domain.device import Device
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


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    with Instance(tmp_path_factory.mktemp("ota")) as ota:
        ota.drop_old("lamp", "lamp-1.0.0.bin", b"firmware")
        device = Device(id="lamp-1", project="lamp", created_at=1, created_by="shell")
        ota.ota.stores.database.change(lambda tx: tx.devices.add(device))
        yield schemathesis.openapi.from_wsgi("/api/v1/openapi.json", ota.app)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(
    ("method", "path"), [(method, path) for method, path, _ in operations(document())]
)
def test_every_call_answers_as_the_document_says(schema, method, path, mode):
    try:
        cases = schema[path][method].as_strategy(generation_mode=mode)
        check(cases)
    except Unsatisfiable:
        pytest.skip("whatever is sent here is right")


def check(cases):
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate),
    )
    @given(cases)
    def checked(case):
        case.call_and_validate(headers={"X-Admin-Secret": ADMIN_SECRET}, checks=CHECKED)

    checked()
