"""One server for all tests of this process, and a program of each test's own."""

from collections.abc import Iterator

import pytest

from api.examples import RULES
from tests.api.serving import Service, Shop, fresh
from tests.postgres import NEWEST, Clusters


@pytest.fixture(scope="session")
def service(clusters: Clusters) -> Iterator[Service]:
    """A running server; not to be stopped, nor its database broken."""
    with clusters.database(NEWEST, template=clusters.migrated(NEWEST).name) as database:
        running = Service(database)
        yield running
        running.stop()


@pytest.fixture(scope="session")
def shop(service: Service) -> Iterator[Shop]:
    """A program that all tests share: each has customers of its own."""
    with service.client() as client:
        assert client.put("/v1/programs/shop/rules", json=RULES).status_code == 201
        yield Shop(service, client, "shop")


@pytest.fixture
def own_shop(service: Service) -> Iterator[Shop]:
    """A program nobody else uses, for tests of its log or its rules."""
    program = fresh("own")
    with service.client() as client:
        assert client.put(f"/v1/programs/{program}/rules", json=RULES).status_code == 201
        yield Shop(service, client, program)


@pytest.fixture
def customer() -> str:
    """A customer nobody has seen before."""
    return fresh("c")
