"""Codes in bulk over HTTP: made by an admin, streamed out, claimed once; what nobody made is no code."""

import csv
import io

import orjson

from tests.api.serving import Shop, code_of, event, fresh
from tests.api.test_held import own_shop

__all__ = ["own_shop"]


def made(shop: Shop, **more: object) -> str:
    batch = fresh("batch")
    answer = shop.post(event("codes.made", shop.program, {"batch": batch, "kind": "tea_10", "count": 2_500, **more}))
    assert answer.status_code == 201, answer.text
    return batch


def handed_out(shop: Shop, batch: str, **query: object) -> str:
    answer = shop.client.get(f"/v1/programs/{shop.program}/codes/{batch}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_codes_are_streamed_as_lines_and_as_csv_always_the_same(own_shop: Shop) -> None:
    batch = made(own_shop)
    as_lines = [orjson.loads(line) for line in handed_out(own_shop, batch).splitlines()]
    as_csv = list(csv.DictReader(io.StringIO(handed_out(own_shop, batch, format="csv"))))
    assert [one["number"] for one in as_lines] == list(range(1, 2_501))
    assert [(str(one["number"]), one["code"]) for one in as_lines] == [(one["number"], one["code"]) for one in as_csv]
    assert len({one["code"] for one in as_lines}) == 2_500
    rest = handed_out(own_shop, batch, after=2_499).splitlines()
    assert [orjson.loads(line) for line in rest] == as_lines[-1:]


def test_a_code_is_claimed_once_by_whoever_is_first(own_shop: Shop, customer: str) -> None:
    batch = made(own_shop)
    code = orjson.loads(handed_out(own_shop, batch).splitlines()[0])["code"]
    first = own_shop.post(event("coupon.claimed", customer, {"code": code.lower()}))
    again = own_shop.post(event("coupon.claimed", customer, {"code": code}))
    other = own_shop.post(event("coupon.claimed", fresh("c"), {"code": code}))
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert first.json()["postings"][0]["asset"] == "coupon:tea_10"
    assert [one["code"] for one in own_shop.client.get(own_shop.customer(customer)).json()["coupons"]] == [code]


def test_what_nobody_made_is_no_code(own_shop: Shop, customer: str) -> None:
    batch = made(own_shop)
    code = orjson.loads(handed_out(own_shop, batch).splitlines()[0])["code"]
    forged = code[:-1] + ("0" if code[-1] != "0" else "1")
    for text in (forged, "nonsense", ""):
        answer = own_shop.post(event("coupon.claimed", customer, {"code": text}))
        assert answer.status_code == 400, text
    assert code_of(own_shop.post(event("coupon.claimed", customer, {"code": forged}))) == "code_not_genuine"


def test_a_batch_that_is_not_there_is_not_found(own_shop: Shop) -> None:
    answer = own_shop.client.get(f"/v1/programs/{own_shop.program}/codes/none")
    assert (answer.status_code, code_of(answer)) == (404, "codes_unknown")
