"""The admin API over an instance of its own."""

import pytest

from tests.api.calling import Api
from tests.instance import Instance


@pytest.fixture
def api(tmp_path):
    with Instance(tmp_path) as ota:
        yield Api(ota)
