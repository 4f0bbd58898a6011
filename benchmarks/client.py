"""A plain HTTP client for what is sent one by one, and for bodies too long to be made beforehand."""

import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.purchases import EVENTS_PATH, LINES, PROGRAM, SINGLE


class Client:
    """One connection, kept open."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600, blocksize=2**18)
        self._key = key

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def get(self, path: str) -> bytes:
        """The body of an answer, read to its end."""
        self._connection.request("GET", path, headers=self._headers())
        return self._answered()

    def post(self, body: bytes, content_type: str = SINGLE) -> bytes:
        """Post to the program's events."""
        self._connection.request("POST", EVENTS_PATH, body, self._headers(content_type))
        return self._answered()

    def post_lines(self, place: Path) -> bytes:
        """Post a file of NDJSON."""
        with place.open("rb") as file:
            headers = {**self._headers(LINES), "Content-Length": str(place.stat().st_size)}
            self._connection.request("POST", EVENTS_PATH, file, headers)
            return self._answered()

    def timed(self, send: Callable[[], bytes]) -> tuple[float, bytes]:
        """Seconds that sending something took to the end of its answer, and the answer."""
        began = time.perf_counter()
        answer = send()
        return time.perf_counter() - began, answer

    def milliseconds_of(self, path: str, times: int) -> float:
        """The median time of reading a path so many times, after one that does not count."""
        self.get(path)
        took = []
        for _ in range(times):
            began = time.perf_counter()
            self.get(path)
            took.append(time.perf_counter() - began)
        return sorted(took)[times // 2] * 1000

    def _headers(self, content_type: str | None = None) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self._key}"}
        return headers if content_type is None else {**headers, "Content-Type": content_type}

    def _answered(self) -> bytes:
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status not in (200, 201):
            raise RuntimeError(f"answered {answer.status}: {body[:500]!r}")
        return body


@contextmanager
def connected(port: int, key: str) -> Iterator[Client]:
    """A client, closed at the end."""
    client = Client(port, key)
    try:
        yield client
    finally:
        client.close()


def customer_path(customer: str, rest: str = "") -> str:
    """The path of a customer, or of something below it."""
    return f"/v1/programs/{PROGRAM}/customers/{customer}{rest}"
