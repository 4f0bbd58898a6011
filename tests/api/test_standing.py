"""The examples of account states and declarations are what the service takes."""

from api.examples_standing import EVENTS
from tests.api.serving import Shop, code_of, event


def test_the_examples_are_recorded_in_their_order_and_then_the_account_is_closed(own_shop: Shop) -> None:
    for posted in EVENTS.values():
        subject = own_shop.program if posted["subject"] == "default" else posted["subject"]
        time = posted["time"].replace("2026-11-21", "2026-01-01")  # theirs may lie ahead of a machine's clock
        answer = own_shop.post({**posted, "subject": subject, "time": time})
        assert answer.status_code == 201, answer.text
    shown = own_shop.client.get(own_shop.customer("c-1002")).json()
    assert shown["standing"]["closed"]["reason"] == "asked to leave"
    again = own_shop.post(event("points.granted", "c-1002", {"points": 1, "reason": "goodwill"}))
    assert (again.status_code, code_of(again)) == (422, "customer_closed")
