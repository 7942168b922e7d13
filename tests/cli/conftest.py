"""A command line to call, in an empty folder."""

import pytest

from tests.cli.calling import Caller


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    return Caller(tmp_path, monkeypatch, capsys)
