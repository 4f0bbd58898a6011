"""The official `cloudevents` package posts as it comes, in structured and binary mode; every event is sent twice."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from cloudevents.core.bindings.http import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1.conversion import to_binary as older_to_binary
from cloudevents.v1.conversion import to_structured as older_to_structured
from cloudevents.v1.http import CloudEvent as OlderCloudEvent

from tests.api.serving import fresh


@pytest.fixture
def attributes(customer):
    return {
        "id": fresh("e"),
        "source": "/门店/sz 001",
        "type": "points.granted",
        "specversion": "1.0",
        "subject": customer,
        "time": datetime.now(timezone(timedelta(hours=8))) - timedelta(minutes=5),
        "datacontenttype": "application/json",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }


DATA = {"points": 5, "reason": "goodwill"}


@pytest.mark.parametrize("first", [to_structured, to_binary])
@pytest.mark.parametrize("second", [to_structured, to_binary])
def test_an_event_of_the_package_is_recorded_and_replayed_in_either_mode(shop, attributes, first, second):
    """Planted: header values taken as they are, without decoding; seen."""
    statuses = []
    for mode in (first, second):
        message = mode(CloudEvent(attributes=dict(attributes), data=DATA), JSONFormat())
        answer = shop.client.post(shop.events, content=message.body, headers=message.headers)
        statuses.append(answer.status_code)
    assert statuses == [201, 200], answer.text
    assert answer.json()["source"] == "/门店/sz 001"


@pytest.mark.parametrize("mode", [older_to_structured, older_to_binary])
def test_an_event_of_the_packages_older_interface_is_recorded_and_replayed(shop, attributes, mode):
    older = {**attributes, "source": "/pos/sz-001", "time": attributes["time"].astimezone(UTC).isoformat()}
    headers, body = mode(OlderCloudEvent(older, DATA))
    statuses = [shop.client.post(shop.events, content=body, headers=headers).status_code for _ in range(2)]
    assert statuses == [201, 200]


def test_binary_mode_without_a_declared_type_of_data(shop, attributes):
    del attributes["datacontenttype"]
    message = to_binary(CloudEvent(attributes=attributes, data=DATA), JSONFormat())
    request = shop.client.build_request("POST", shop.events, content=message.body, headers=message.headers)
    request.headers.pop("content-type", None)
    assert [shop.client.send(request).status_code for _ in range(2)] == [201, 200]
