"""Which needs of a client a server breaks, in words."""

from ota_http_server.simulation.needs import Verdict, examine
from tests.simulation.conftest import access

LATE = "the first byte comes within"  # this machine may be slower than a client's patience


def broken(client, url, token=None):
    """The needs that are broken, in words; the others are ok or say why they were not tried."""
    findings = examine(client, url, access(token))
    assert len({one.need for one in findings}) == len(findings)
    assert all(one.found for one in findings if one.verdict is not Verdict.OK)
    found = [one.need.says for one in findings if one.verdict is Verdict.BROKEN]
    return [says for says in found if not says.startswith(LATE)]


def assert_breaks(client, url, *expected, token=None):
    """Exactly these, each named by the beginning of its sentence."""
    found = broken(client, url, token)
    assert len(found) == len(expected), found
    for says, beginning in zip(found, expected, strict=True):
        assert says.startswith(beginning), found
