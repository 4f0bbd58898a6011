"""The yardstick of single posts: the stock `eventsourcing` library, get and save of one aggregate for each event.

Its application, its PostgreSQL recorder, synchronous, threads as they come; no HTTP, no decision, no receipt, no idempotency.
"""

import os
import threading
import time
from urllib.parse import parse_qs, urlsplit
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import Aggregate, event

from benchmarks.cluster import OWNER, Database

CUSTOMERS = 10_000


class Customer(Aggregate):
    """A customer whose purchases are counted."""

    @event("SignedUp")
    def __init__(self, customer: str) -> None:
        self.customer = customer
        self.points = 0

    @event("PurchaseRecorded")
    def record_purchase(self, order_id: str, total: int, lines: list[dict[str, int | str]]) -> None:
        """Earn a point for each whole unit of currency."""
        self.order_id, self.lines = order_id, lines
        self.points += total // 100

    @staticmethod
    def create_id(customer: str) -> UUID:
        """The id of a customer's aggregate."""
        return uuid5(NAMESPACE_URL, customer)


def measure(database: Database, *, threads: int, seconds: float) -> float:
    """Purchases recorded in a second, by so many threads."""
    parts = urlsplit(database.url(OWNER))
    query = parse_qs(parts.query)
    application = Application[UUID](
        env={
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": database.name,
            "POSTGRES_HOST": query["host"][0],
            "POSTGRES_PORT": query["port"][0],
            "POSTGRES_USER": OWNER,
            "POSTGRES_PASSWORD": "",
            "POSTGRES_POOL_SIZE": str(threads),
            "POSTGRES_MAX_OVERFLOW": "0",
        }
    )
    counts = [0] * threads
    until = time.perf_counter() + seconds
    workers = [
        threading.Thread(target=_work, args=(application, place, threads, until, counts)) for place in range(threads)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    application.close()
    return sum(counts) / seconds


def _work(application: Application[UUID], place: int, threads: int, until: float, counts: list[int]) -> None:
    """Record purchases of customers that no other thread touches: as it comes, two at once on one raise an error."""
    number = 0
    run = os.urandom(4).hex()
    while time.perf_counter() < until:
        name = f"c-{(number * threads + place) % CUSTOMERS}"
        try:
            customer: Customer = application.repository.get(Customer.create_id(name))
        except AggregateNotFoundError:
            customer = Customer(name)
        lines = [
            {"line": 1, "sku": "A1", "quantity": 2, "amount": 2598},
            {"line": 2, "sku": "B7", "quantity": 1, "amount": 5990},
        ]
        customer.record_purchase(f"SO-{run}-{number}", 8588, lines)
        application.save(customer)
        counts[place] += 1
        number += 1
