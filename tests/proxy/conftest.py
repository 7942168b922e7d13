"""The cluster and the Apache that the gentle tests of one process share.

A test that stops, kills or overloads an instance makes its own.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proxy.apache import Apache
from tests.proxy.cluster import Cluster


@pytest.fixture(name="cluster", scope="session")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(name="apache", scope="session")
def shared_apache(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Apache]:
    with Apache(tmp_path_factory.mktemp("apache"), cluster) as running:
        yield running


@pytest.fixture
def project(request: pytest.FixtureRequest) -> str:
    """A project of the test's own: the cluster is shared."""
    return f"lamp-{zlib.crc32(request.node.nodeid.encode())}"


@pytest.fixture(name="own_cluster")
def cluster_of_one_test(tmp_path: Path) -> Iterator[Cluster]:
    """Quick at a stop."""
    folder = tmp_path / "own"
    folder.mkdir()
    with Cluster(folder, "--stop-delay-seconds", "0.5") as running:
        yield running


@pytest.fixture(name="own_apache")
def apache_of_one_test(tmp_path: Path, own_cluster: Cluster) -> Iterator[Apache]:
    folder = tmp_path / "apache"
    folder.mkdir()
    with Apache(folder, own_cluster) as running:
        yield running
