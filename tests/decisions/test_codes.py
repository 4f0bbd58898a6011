"""Codes in bulk: genuine by their form, claimed once, within the caps of their batch."""

from itertools import pairwise

import pytest

from ledger import codes
from ledger.errors import FormError
from ledger.events import validated
from tests.builders import PROGRAM, clock_runs, coupon_used, event
from tests.given import Given, given, run, table
from tests.vouchers import RULES

KEY = bytes(range(32))


def code(number=1, batch=1):
    return codes.make(KEY, PROGRAM, batch, number).text


def made(name="spring", time="2026-02-01", *, kind="tea", count=100, **more):
    return event("codes.made", time, batch=name, kind=kind, count=count, **more)


def claims(text, time="2026-03-01"):
    return event("coupon.claimed", time, code=text)


def having(*steps):
    return given(*steps, document=RULES)


class TestCodes:
    def test_a_code_says_what_it_is_of_and_is_genuine(self):
        for number in (1, 2, 77, codes.NUMBERS_MAX):
            made_code = codes.make(KEY, PROGRAM, 3, number)
            assert codes.read(made_code.text) == made_code
            assert codes.is_genuine(KEY, PROGRAM, made_code)

    @pytest.mark.parametrize(
        "other",
        [
            lambda one: one._replace(number=2),
            lambda one: one._replace(batch=2),
            lambda one: one._replace(proof=one.proof ^ 1),
            lambda one: one._replace(proof=one.proof ^ 1 << 49),
        ],
    )
    def test_what_is_changed_in_it_is_seen(self, other):
        """Against: the number left out of what is proved."""
        assert not codes.is_genuine(KEY, PROGRAM, other(codes.make(KEY, PROGRAM, 1, 1)))

    def test_it_is_of_its_program_and_key(self):
        one = codes.make(KEY, PROGRAM, 1, 1)
        assert not codes.is_genuine(KEY, "other", one)
        assert not codes.is_genuine(bytes(32), PROGRAM, one)

    def test_it_may_be_typed_in_any_way(self):
        text = code(7)
        for typed in (text.lower(), text.replace("-", ""), text.replace("0", "o").replace("1", "l")):
            assert validated("coupon.claimed", {"code": typed}, 0) == {"code": text}

    @pytest.mark.parametrize("typed", ["", "A", "U" * 18, code()[:-1], code() + "0", "€" * 18])
    def test_what_is_no_code_is_a_matter_of_form(self, typed):
        with pytest.raises(FormError):
            validated("coupon.claimed", {"code": typed}, 0)

    def test_numbers_do_not_tell_of_one_another(self):
        proofs = [codes.make(KEY, PROGRAM, 1, number).proof for number in range(1, 1_000)]
        assert len(set(proofs)) == len(proofs)
        assert len({after - before for before, after in pairwise(proofs)}) == len(proofs) - 1


class TestClaiming:
    @table(
        (
            "the coupon of its kind, named after the code",
            lambda: (
                having(made(campaign="may", per_customer=2))
                .when(claims(code(5)))
                .then("1 coupon:tea program:issued:campaign -> customer:coupon:tea opens 1.1")
                .derived(
                    batch="spring",
                    number=5,
                    coupons=[
                        {
                            "coupon_id": f"code:{code(5)}",
                            "kind": "tea",
                            "lot": "1.1",
                            "code": code(5),
                            "campaign": "may",
                        }
                    ],
                    counters=[["coupon:tea:total", 1], ["codes:spring:total", 1]],
                )
            ),
        ),
        (
            "which can be used",
            lambda: (
                having(made(), claims(code()))
                .when(coupon_used(f"code:{code()}", "U-1", "2026-03-02"))
                .then("1 coupon:tea customer:coupon:tea -> program:redeemed of 1.1:1")
            ),
        ),
        (
            "more of the batch than one customer may claim",
            lambda: (
                having(made(per_customer=1), claims(code(1)))
                .when(claims(code(2)))
                .refused("limit_reached", counter="codes:spring:per_customer", used=1, limit=1)
            ),
        ),
        (
            "more of the kind than one customer may have",
            lambda: (
                having(made(kind="one"), claims(code(1)))
                .when(claims(code(2)))
                .refused("limit_reached", counter="coupon:one:per_customer")
            ),
        ),
        (
            "too late",
            lambda: having(made(claim_until="2026-03-01T00:00:00Z")).when(claims(code())).refused("code_too_late"),
        ),
        ("of no batch", lambda: having(made()).when(claims(code(batch=2))).refused("code_unknown")),
        ("beyond the batch", lambda: having(made(count=4)).when(claims(code(5))).refused("code_unknown")),
        (
            "of a campaign that the kind is not for",
            lambda: (
                having(made(kind="festival", campaign="may")).when(claims(code())).refused("coupon_not_for_campaign")
            ),
        ),
    )
    def test_a_code_is_claimed(self, scenario):
        scenario()

    def test_a_second_batch_has_codes_of_its_own(self):
        before = having(made(), made("summer", "2026-02-02"))
        before.when(claims(code(1, batch=2))).derived(batch="summer")

    def test_a_name_is_given_to_one_batch(self):
        before: Given = having(made())
        with pytest.raises(Exception, match="batch") as found:
            run(before.ledger, made(count=5))
        assert found.value.code == "codes_known"

    def test_the_kind_is_one_of_the_rules(self):
        with pytest.raises(Exception, match="kind") as found:
            having(made(kind="none"))
        assert found.value.code == "coupon_kind_unknown"

    def test_what_is_claimed_expires_like_any_coupon(self):
        having(made(kind="march"), claims(code())).when(clock_runs("2026-03-11")).lots()
