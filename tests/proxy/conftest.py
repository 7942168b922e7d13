"""The cluster and the Apache that the gentle tests of one process share.

A test that stops, kills or overloads an instance makes its own.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proxy.apache import Apache
from tests.proxy.cluster import Cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="session")
def apache(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Apache]:
    with Apache(tmp_path_factory.mktemp("apache"), cluster) as running:
        yield running


@pytest.fixture
def project(request: pytest.FixtureRequest) -> str:
    """A project of the test's own: the cluster is shared."""
    return f"lamp-{abs(hash(request.node.nodeid)) % 10**12}"


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Quick at a stop."""
    folder = tmp_path / "own"
    folder.mkdir()
    with Cluster(folder, "--stop-delay-seconds", "0.5") as running:
        yield running


@pytest.fixture
def own_apache(tmp_path: Path, own_cluster: Cluster) -> Iterator[Apache]:
    folder = tmp_path / "apache"
    folder.mkdir()
    with Apache(folder, own_cluster) as running:
        yield running
