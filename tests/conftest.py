"""What many tests share: real components that may be missing, and how Hypothesis works here."""

import os
import shutil

import pytest
from hypothesis import settings

# The machine may be slow or busy: how long an example takes says nothing about the product.
settings.register_profile("ota", deadline=None)
settings.load_profile("ota")

SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where Debian puts servers; not everybody has it in the PATH."""


def component(name: str) -> str | None:
    """The full path of a program, or None."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), SBIN)))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`@pytest.mark.needs("apache2")`: skipped, with its reason, where the program is missing."""
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            if component(name) is None:
                pytest.skip(f"{name} is not installed (Debian: apt-get install {name})")
