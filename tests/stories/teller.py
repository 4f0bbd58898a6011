"""Tells a story over HTTP: posts events one after the other, and writes down what each of them came to."""

from collections.abc import Iterator
from typing import Any

from tests.api.serving import STRUCTURED, Service, await_that, fresh

HOURS = "+08:00"


class Teller:
    """One program under an example's rules, and the lines of its story."""

    def __init__(self, service: Service, program: str, rules: str) -> None:
        self.lines: list[str] = []
        self._client = service.client()
        self._url = f"/v1/programs/{program}"
        self._program = program
        answer = self._client.put(f"{self._url}/rules", content=rules, headers={"Content-Type": "application/yaml"})
        assert answer.status_code == 201, answer.text

    def post(self, time: str, customer: str, kind: str, /, **data: Any) -> dict[str, Any]:
        """Post an event of a minute in Shanghai, such as `2026-03-02 12:30`; its answer."""
        event = {
            "specversion": "1.0",
            "id": fresh("story"),
            "source": "/pos/story",
            "type": kind,
            "subject": customer,
            "time": time.replace(" ", "T") + ":00" + HOURS,
            "data": data,
        }
        answer = self._client.post(f"{self._url}/events", json=event, headers=STRUCTURED).json()
        self.lines.append(f"{time}  {customer:<8}  {kind}")
        self.lines += [f"{'':18}{line}" for line in _came_to(answer)]
        return dict(answer)

    def place(self, store: str, **data: Any) -> None:
        """Register a store from the beginning of 2026 on."""
        self.post(
            "2026-01-01 00:00",
            self._program,
            "place.registered",
            store=store,
            effective_from=f"2026-01-01T00:00:00{HOURS}",
            **data,
        )

    def read(self, customer: str, as_of: str) -> dict[str, Any]:
        """The customer at a minute in Shanghai; told in one line."""
        cut = as_of.replace(" ", "T") + ":00" + HOURS
        shown = dict(self._client.get(f"{self._url}/customers/{customer}", params={"as_of": cut}).json())
        tier = (shown["tier"] or {}).get("tier")
        self.lines.append(
            f"{as_of}  {customer:<8}  reads: {_amounts(shown['balances'])}; available {_amounts(shown['available'])}"
            + (f"; tier {tier}" if tier else "")
        )
        return shown

    def await_record(self, customer: str, kind: str) -> None:
        """Wait for what a policy writes on a customer's stream."""

        def written() -> list[dict[str, Any]]:
            page = self._client.get(f"{self._url}/customers/{customer}/events").json()["records"]
            return [line["record"] for line in page if line["record"]["type"] == kind]

        await_that(lambda: bool(written()))
        record = written()[-1]
        self.lines.append(f"{'by a policy':<16}  {customer:<8}  {kind}")
        self.lines += [f"{'':18}{line}" for line in _moved(record["postings"])]
        self.lines.append(f"{'':18}now {_amounts(record['balances'])}")

    def say(self, text: str) -> None:
        """A sentence between the events."""
        self.lines += ["", text]


def _came_to(answer: dict[str, Any]) -> Iterator[str]:
    if answer.get("status") != "recorded":
        yield f"refused: {answer['code']}: {answer['detail']}"
        return
    yield from _moved(answer["postings"])
    for note in answer["notes"]:
        why = ", ".join(str(note[name]) for name in ("rule", "reason") if name in note)
        yield f"note {note['code']}{': ' + why if why else ''}"
    for record in answer["records"]:
        if record["version"] != answer["version"]:
            yield f"with it: {record['type']}"
    if answer["balances"]:
        yield f"now {_amounts(answer['balances'])}"


def _moved(postings: list[dict[str, Any]]) -> Iterator[str]:
    for posting in postings:
        yield f"{posting['amount']} {posting['asset']}  {posting['from']} → {posting['to']}"


def _amounts(amounts: dict[str, int]) -> str:
    return ", ".join(f"{asset} {amount}" for asset, amount in amounts.items())
