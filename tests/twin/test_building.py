"""The twin of a real log: ranges whole or not at all, rebuilt to the same bytes, answers current to the last position."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ledger import reading
from ledger.program import ProgramState
from ledger.reading import Book
from projections.errors import TwinDamaged
from projections.metrics.answering import answer
from projections.twin import building, fleet, parsing, ranges
from projections.twin.engines import Engine
from projections.twin.fleet import Fleets
from tests.builders import line, purchase, refunded, returned, rules, signed_up
from tests.postgres import Database
from tests.writer.shop import NOW, PROGRAM, Shop, command, grant, open_shop, redeem

RANGE = 10
CUSTOMERS = 9


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (building, ranges, fleet):
        monkeypatch.setattr(module, "RANGE", RANGE)
    for module in (building, parsing, fleet):
        monkeypatch.setattr(module, "PAGE", 4)


@pytest.fixture
async def shop(migrated_database: Database) -> AsyncIterator[Shop]:
    """A log of 1 + 9 × 5 records."""
    shop = await open_shop(
        migrated_database.service_url, document=rules(program={"time_zone": "Asia/Shanghai", "currencies": ["CNY"]})
    )
    writer = await shop.writer()
    for number in range(CUSTOMERS):
        customer = f"c-{number}"
        day = f"2026-01-{number + 1:02d}T17:00:00Z"
        goods = [line(1, 2_000, quantity=2), line(2, 1_000 + number, sku="B")]
        place = {"store": f"S{number % 2}", "channel": "wx"}
        posted = [
            signed_up(day, place=place),
            purchase(f"SO-{number}", 3_000 + number, day, lines=goods, place=place),
            grant(50),
            redeem(f"R-{number}", 10),
            returned(("B", 1, 1_000), time="2026-02-01", return_id=f"RT-{number}")
            if number % 2
            else refunded(f"SO-{number}", 500, "2026-02-01", refund=f"RF-{number}"),
        ]
        for event in posted:
            (result,) = await writer.post([command(event, customer)])
            assert result.error is None, result.error
    yield shop
    await shop.stop()
    await shop.pool.close()


def book_of(shop: Shop) -> Book:
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    return Book(shop.log_id, PROGRAM, ZoneInfo("Asia/Shanghai"), ProgramState())


async def asked(
    shop: Shop, twin: Path, name: str, *, known_at: str | None = None, engine: Engine | None = None, **given: str
) -> dict[str, Any]:
    fleets = Fleets(twin, engine)
    async with shop.pool.acquire() as conn:
        cut = await reading.cut_off(conn, book_of(shop), now=NOW, as_of=None, known_at=known_at)
        async with fleets.at(conn, book_of(shop), cut) as found:
            shown = answer(found, name, given)
    fleets.close()
    return shown


async def built(shop: Shop, twin: Path, part: building.Part = building.WHOLE) -> building.Built:
    async with shop.pool.acquire() as conn:
        return await building.build(conn, book_of(shop), twin, last=await shop.log_length(), part=part)


def content(twin: Path) -> dict[str, bytes]:
    return {str(path.relative_to(twin)): path.read_bytes() for path in sorted(twin.rglob("*")) if path.is_file()}


async def test_removed_and_rebuilt_it_is_the_same_bytes(shop: Shop, tmp_path: Path):
    first = await built(shop, tmp_path)
    assert (first.ranges, first.sealed_through, first.tail) == (4, 40, 6)
    before = content(tmp_path)
    assert len(before) == 4 * (len(parsing.TABLES) + 1)
    assert (await built(shop, tmp_path)).ranges == 0
    assert ranges.remove(ranges.directory_of(tmp_path, PROGRAM)) == 4
    assert content(tmp_path) == {}
    await built(shop, tmp_path)
    assert content(tmp_path) == before
    async with shop.pool.acquire() as conn:
        assert await building.verify(conn, book_of(shop), tmp_path) == []


async def test_builders_share_a_log_by_parts_to_the_same_bytes(shop: Shop, tmp_path: Path):
    """Whichever comes first; a range behind a gap is kept, and nobody builds it again.

    Against: a builder that stops at the first range that is not its own.
    """
    await built(shop, tmp_path / "one")
    parts = [building.Part(2, 3), building.Part(3, 3), building.Part(1, 3)]
    found = [await built(shop, tmp_path / "three", part) for part in parts]
    assert [(each.ranges, each.sealed_through) for each in found] == [(1, 0), (1, 0), (2, 40)]
    assert (await built(shop, tmp_path / "three")).ranges == 0
    assert content(tmp_path / "three") == content(tmp_path / "one")


async def test_what_a_range_holds_is_counted_and_summed(shop: Shop, tmp_path: Path):
    await built(shop, tmp_path)
    manifests = ranges.read_sealed(ranges.directory_of(tmp_path, PROGRAM), PROGRAM, shop.log_id)
    assert [(one.first, one.last) for one in manifests] == [(1, 10), (11, 20), (21, 30), (31, 40)]
    assert sum(one.counts["records"] for one in manifests) == 39, "the program's own record is no customer's"
    assert manifests[0].counts["orders"] == 2
    assert manifests[0].control["orders.total"] == {"CNY": 6_001}


async def test_answers_are_the_same_with_a_twin_and_from_the_tail_alone(shop: Shop, tmp_path: Path, monkeypatch):
    """And current to the last position."""
    given = {"by": "month,store"}
    with_twin = await asked(shop, tmp_path, "revenue", **given)
    assert (with_twin["position"], with_twin["sealed_through"]) == (46, 40)
    for module in (building, ranges, fleet):
        monkeypatch.setattr(module, "RANGE", 1_000)
    alone = await asked(shop, tmp_path / "none", "revenue", **given)
    assert alone["sealed_through"] == 0
    assert alone["rows"] == with_twin["rows"]
    (total,) = (await asked(shop, tmp_path, "revenue"))["rows"]
    assert (total["gross"], total["refunds"], total["orders"]) == (27_036, 6_500, 9)
    assert (await asked(shop, tmp_path, "customers"))["rows"] == [{"opened": 9, "left": 0, "net": 9, "customers": 9}]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
async def test_spark_answers_from_the_same_twin_to_the_last_position(shop: Shop, tmp_path: Path, spark: Engine):
    """Sealed ranges, the tail, and what comes to the tail between two questions of one process."""
    given = {"by": "month,store"}
    expected = await asked(shop, tmp_path, "revenue", **given)
    assert await asked(shop, tmp_path, "revenue", engine=spark, **given) == expected
    fleets = Fleets(tmp_path, spark)
    async with shop.pool.acquire() as conn:
        for known_at, gross in (("42", 24_028), (None, 27_036)):
            cut = await reading.cut_off(conn, book_of(shop), now=NOW, as_of=None, known_at=known_at)
            async with fleets.at(conn, book_of(shop), cut) as found:
                (row,) = answer(found, "revenue", {})["rows"]
            assert row["gross"] == gross, known_at
    fleets.close()


async def test_knowledge_is_cut_inside_a_sealed_range(shop: Shop, tmp_path: Path):
    await built(shop, tmp_path)
    (orders,) = (await asked(shop, tmp_path, "orders", known_at="13"))["rows"]
    assert orders["orders"] == 3
    assert (await asked(shop, tmp_path, "orders", known_at="1"))["rows"][0]["orders"] == 0


async def test_a_build_that_was_killed_leaves_nothing_that_counts(shop: Shop, tmp_path: Path, monkeypatch):
    with monkeypatch.context() as killed:
        killed.setattr(ranges, "_write_flushed", _killed)
        with pytest.raises(KeyboardInterrupt):
            await built(shop, tmp_path)
    assert ranges.read_sealed(ranges.directory_of(tmp_path, PROGRAM), PROGRAM, shop.log_id) == []
    monkeypatch.setattr(ranges, "ASIDE_SECONDS_MAX", -1)
    assert (await built(shop, tmp_path)).ranges == 4
    assert not [name for name in content(tmp_path) if ".aside-" in name]


async def test_two_builders_at_once_leave_one_twin(shop: Shop, tmp_path: Path):
    await built(shop, tmp_path / "one")
    await asyncio.gather(built(shop, tmp_path / "two"), built(shop, tmp_path / "two"))
    assert content(tmp_path / "two") == content(tmp_path / "one")


@pytest.mark.parametrize("damage", ["cut", "gone", "manifest"])
async def test_a_damaged_range_is_named_and_never_answered_from(shop: Shop, tmp_path: Path, damage: str):
    await built(shop, tmp_path)
    directory = ranges.directory_of(tmp_path, PROGRAM) / ranges.name_of(11)
    file = directory / "orders.parquet"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-1])
    elif damage == "gone":
        file.unlink()
    else:
        (directory / ranges.MANIFEST).write_text("{")
    with pytest.raises(TwinDamaged) as refused:
        await asked(shop, tmp_path, "orders")
    assert refused.value.facts["range"] == ranges.name_of(11)


async def test_verify_finds_a_byte_that_was_changed(shop: Shop, tmp_path: Path):
    await built(shop, tmp_path)
    file = ranges.directory_of(tmp_path, PROGRAM) / ranges.name_of(1) / "orders.parquet"
    content_of = bytearray(file.read_bytes())
    content_of[60] ^= 1
    file.write_bytes(content_of)
    async with shop.pool.acquire() as conn:
        (difference,) = await building.verify(conn, book_of(shop), tmp_path)
    assert "orders.parquet" in difference


async def test_a_twin_of_another_history_is_refused(shop: Shop, tmp_path: Path, monkeypatch):
    await built(shop, tmp_path)
    directory = ranges.directory_of(tmp_path, PROGRAM)
    path = directory / ranges.name_of(31) / ranges.MANIFEST
    text = path.read_text()
    last_hash = ranges.read_sealed(directory, PROGRAM, shop.log_id)[-1].last_hash
    path.write_text(text.replace(last_hash, last_hash[::-1]))
    with pytest.raises(TwinDamaged, match="another history"):
        await asked(shop, tmp_path, "orders")


async def test_nothing_personal_and_nothing_undeclared_is_in_a_file(shop: Shop, tmp_path: Path):
    await built(shop, tmp_path)
    for table in parsing.TABLES:
        file = ranges.directory_of(tmp_path, PROGRAM) / ranges.name_of(1) / f"{table.name}.parquet"
        found = duckdb.sql(f"DESCRIBE SELECT * FROM '{file}'").fetchall()
        assert [name for name, *_ in found] == [column.name for column in table.columns]


def _killed(*_: object) -> None:
    raise KeyboardInterrupt
