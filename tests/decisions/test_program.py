"""The program's own stream: `program.published` and `place.registered`."""

import pytest

from ledger import program as programs
from ledger.errors import FixedAtCreation, FormError, InvariantBroken
from ledger.program import Place
from ledger.records import Record
from ledger.rules import DEFAULT_DOCUMENT, effective_from, read_document
from tests.builders import MemoryLedger, at, earns, published, registered, rules


def with_program(**block):
    return rules(program=block)


@pytest.mark.parametrize(
    ("first", "second", "fields"),
    [
        ({}, {"time_zone": "Asia/Shanghai"}, ["/program/time_zone"]),
        ({"currencies": ["CNY"]}, {"currencies": ["CNY", "JPY"]}, ["/program/currencies"]),
        ({"points_scale": 2}, {}, ["/program/points_scale"]),
        ({}, {"order_scope": "store", "points_scale": 1}, ["/program/points_scale", "/program/order_scope"]),
    ],
)
def test_what_was_fixed_at_creation_stays(first, second, fields):
    """Planted: only the time zone compared."""
    ledger = MemoryLedger(with_program(**first))
    with pytest.raises(FixedAtCreation) as refused:
        ledger.post(published(with_program(**second), "2026-03-01"))
    assert refused.value.facts["fields"] == fields
    assert ledger.program.version == 1


def test_publishing_again_with_the_same_program_block_is_another_version():
    ledger = MemoryLedger(with_program(time_zone="Asia/Shanghai"))
    ledger.post(published(with_program(time_zone="Asia/Shanghai"), "2026-03-01"))
    assert [version.version for version in ledger.program.rules.versions] == [1, 2]


def test_the_record_spells_out_every_default_and_from_when_it_counts():
    ledger = MemoryLedger(DEFAULT_DOCUMENT)
    ledger.post(published({**DEFAULT_DOCUMENT, "effective_from": "2026-04-01T00:00:00+08:00"}, "2026-03-01"))
    first, second = (record.data for record in ledger.program_records)
    assert (first["version"], first["effective_from"]) == (1, "1900-01-01T00:00:00Z")
    assert (second["version"], second["effective_from"]) == (2, "2026-03-31T16:00:00Z")
    assert second["document"]["backdate_days"] == 45
    assert second["document"]["earning"][0]["exclude_tenders"] == ["points"]


@pytest.mark.parametrize(
    ("fault", "pointer"),
    [
        ({"surprise": 1}, "/surprise"),
        ({"program": {"time_zone": "Moon/Base"}}, "/program"),
        ({"program": {"points_scale": 5}}, "/program/points_scale"),
        ({"earning": [earns(points=5)]}, "/earning/0"),
        ({"earning": [earns(None)]}, "/earning/0"),
        ({"earning": [earns("-1")]}, "/earning/0"),
        ({"earning": [earns("many")]}, "/earning/0"),
        ({"earning": [earns("1e999999999")]}, "/earning/0"),
        ({"earning": [earns("1/0")]}, "/earning/0"),
        ({"earning": [earns(), earns()]}, "/earning/1/id"),
        ({"earning": [earns(cap_per_day=0)]}, "/earning/0/cap_per_day"),
        ({"expiry": {"kind": "after_a_while"}}, "/expiry/kind"),
        ({"availability": {"days": -1}}, "/availability/days"),
        ({"refunds": "never"}, "/refunds"),
        ({"business_day_starts_at": "05:10"}, "/business_day_starts_at"),
        ({"effective_from": "2026-01-01T00:00:00"}, "/effective_from"),
    ],
)
def test_a_document_with_a_fault_is_refused_naming_its_place(fault, pointer):
    with pytest.raises(FormError) as refused:
        read_document(fault)
    assert [one["pointer"] for one in refused.value.errors] == [pointer]


def test_a_document_counts_from_ever_first_then_as_it_says_or_from_its_publication():
    plain, dated = read_document({}), read_document({"effective_from": "2026-04-01T00:00:00Z"})
    assert effective_from(dated, first=True, published_at=5) == at("1900-01-01")
    assert effective_from(dated, first=False, published_at=5) == at("2026-04-01")
    assert effective_from(plain, first=False, published_at=5) == 5


def test_the_register_of_places_is_dated():
    ledger = MemoryLedger(rules())
    for brand, begins in (("blue", "2026-03-01"), ("red", "2026-01-01"), ("green", "2026-05-01")):
        ledger.post(registered("SZ-1", brand, f"{begins}T00:00:00Z", "2026-06-01"))
    seen = {
        instant: ledger.program.place_at("SZ-1", at(instant)) for instant in ("2025-12-31", "2026-02-28", "2026-03-01")
    }
    assert seen["2025-12-31"] is None
    assert seen["2026-02-28"] == Place(at("2026-01-01"), "red", "red Ltd", None)
    assert seen["2026-03-01"].brand == "blue"


def test_its_subject_is_the_program():
    ledger = MemoryLedger(rules())
    command = ledger.command(registered("SZ-1", "red", "2026-01-01T00:00:00Z", "2026-01-01"), "c-1")
    with pytest.raises(FormError):
        ledger.decide_on_program(command)


def test_far_ahead_is_refused_here_too():
    """Planted: `min(time, now)` without a look at how far ahead it is."""
    ledger = MemoryLedger(rules())
    with pytest.raises(FormError) as refused:
        ledger.post(registered("SZ-1", "red", "2026-01-01T00:00:00Z", "2026-03-01T12:05:01Z").late("2026-03-01T12:00"))
    assert refused.value.form_code == "time_in_future"


def test_its_state_is_the_fold_of_its_records():
    ledger = MemoryLedger(rules())
    ledger.post(registered("SZ-1", "red", "2026-01-01T00:00:00Z", "2026-01-01"))
    ledger.post(published(rules(earns("2")), "2026-02-01"))
    ledger.post(registered("SZ-1", "blue", "2026-03-01T00:00:00Z", "2026-02-02"))
    stored = [Record.from_bytes(record.to_bytes()) for record in ledger.program_records]
    folded = programs.fold(stored)
    assert (folded.version, folded.places, folded.latest) == (4, ledger.program.places, at("2026-02-02"))
    assert folded.rules.versions == ledger.program.rules.versions
    with pytest.raises(InvariantBroken):
        programs.evolve(folded, stored[0])


def test_a_program_without_rules_decides_nothing():
    with pytest.raises(InvariantBroken):
        _ = programs.ProgramState().rules


def test_instants_in_a_registration_are_kept_in_utc():
    ledger = MemoryLedger(rules())
    ledger.post(registered("SZ-1", "red", "2026-01-01T08:00:00+08:00", "2026-01-01"))
    assert ledger.program_records[-1].data["effective_from"] == "2026-01-01T00:00:00Z"
