"""The reference of hawkBit's interface names every resource, and invents none."""

import re

from ota_http_server.domain.sighting import NOTHING_SAID
from ota_http_server.protocols.hawkbit.attributes import sighting_of
from ota_http_server.protocols.hawkbit.words import _STEPS
from tests.instance import Instance
from tests.pages import REPOSITORY, headings

PAGE = REPOSITORY / "docs" / "reference" / "hawkbit.md"


def documented():
    found = [re.fullmatch(r"`(\w+) /(.*)`", heading) for heading in headings(PAGE)]
    return {(match[1], match[2]) for match in found if match}


def test_every_resource_is_in_the_reference(tmp_path):
    with Instance(tmp_path) as ota:
        dialects = [dialect for _, dialect in ota.app.wsgi_app._dialects]
    (routes,) = [d._routes for d in dialects if type(d).__name__ == "Hawkbit"]
    known = {
        (method, "/".join(route).replace("#", "{id}").replace("*", "{file}"))
        for route, methods in routes.items()
        for method in methods
    }

    assert documented() == known


def test_every_execution_is_in_the_reference():
    page = PAGE.read_text()

    assert [word for word in (*_STEPS, "closed") if f"`{word}`" not in page] == []


def test_every_attribute_of_the_reference_is_a_fact():
    rows = re.findall(r"^\| the (?:version|image|board|chip)[^|]*\|(.+)\|$", PAGE.read_text(), re.M)
    names = [name for row in rows for name in re.findall(r"`(\w+)`", row)]

    assert len(names) > 15
    for name in names:
        value = "a" * 64 if "sha256" in name else "esp32"
        assert sighting_of({name: value}, None) != NOTHING_SAID, name
