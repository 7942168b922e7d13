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
from ota_http_server.domain.attempt import Attempt, State
from ota_http_server.domain.device import Device
from ota_http_server.domain.esp_sample import esp_application
from tests.api.calling import Api
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


THERE = {"project": "lamp", "version": "1.0.0", "device": "lamp-1", "key": "ci"}
"""What the variable parts of a path name so that there is something to answer with."""

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
    api = Api(ota)
    image = esp_application(version="1.0.0", project="lamp")
    ota.drop("lamp", "lamp-1.0.0.bin", image)
    api.post("/keys", {"name": "ci", "role": "viewer"})
    device = Device(id="lamp-1", project="lamp", created_at=1, created_by="shell")
    ota.ota.stores.database.change(lambda tx: tx.devices.add(device))
    api.patch("/projects/lamp", {"notes": "there"})
    return THERE | {"attempt": str(attempt_of(ota, "lamp-1"))}


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


def attempt_of(ota, device):
    """The number of an update of this device, with a line that it said."""

    def opened(tx):
        if (latest := tx.attempts.latest_of(device)) is not None:
            return latest.id
        release = tx.releases.get("lamp", "1.0.0")
        image = release.images[0]
        attempt = Attempt(
            id=0,
            device=device,
            project="lamp",
            release=release.number,
            version=release.version,
            image_name=image.name,
            sha256=image.sha256,
            size=image.size,
            state=State.OFFERED,
            from_version=None,
            from_sha256=None,
            offered_at=tx.second,
            changed_at=tx.second,
        )
        number = tx.attempts.open(attempt).id
        tx.attempts.add_lines(number, ["said"], tx.second)
        return number

    ota.ota.release_folder.follow("lamp")
    return ota.ota.stores.database.change(opened)
