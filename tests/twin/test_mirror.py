"""A twin under a URL: one machine seals and puts, another takes; what is damaged or of another log is not taken.

LEDGER_TEST_TWIN_URL names other storage to try the same on, such as s3://bucket/path?endpoint_override=localhost:5000&scheme=http.
"""

import os
from pathlib import Path
from uuid import uuid4

import pytest

from ledger.settings import Mirrored, Settings
from projections.errors import TwinDamaged
from projections.twin import building, ranges
from projections.twin.mirror import Mirror
from tests.twin.test_building import PROGRAM, Shop, asked, built, content, shop, small_ranges

__all__ = ["shop", "small_ranges"]  # fixtures


@pytest.fixture
def url(tmp_path: Path) -> str:
    other = os.environ.get("LEDGER_TEST_TWIN_URL")
    if other is None:
        return f"file://{tmp_path / 'remote'}"
    base, _, query = other.partition("?")
    return f"{base}/{uuid4().hex}?{query}"


async def test_what_one_machine_seals_another_takes_and_does_not_build(
    shop: Shop, tmp_path: Path, url: str, monkeypatch
):
    await built(shop, tmp_path / "whole")
    one, other = Mirrored(tmp_path / "one", url), Mirrored(tmp_path / "other", url)
    assert (await built(shop, one)).ranges == 4

    async def never(*_: object) -> None:
        raise AssertionError("it is there already")

    with monkeypatch.context() as taken:
        taken.setattr(building, "_seal", never)
        assert ((await built(shop, other)).ranges, (await built(shop, other)).before) == (0, 4)
    assert content(tmp_path / "other") == content(tmp_path / "one") == content(tmp_path / "whole")
    assert (await asked(shop, other, "orders"))["sealed_through"] == 40
    Mirror(url, PROGRAM).remove()
    assert (await built(shop, Mirrored(tmp_path / "third", url))).ranges == 4


async def test_a_machine_whose_storage_was_emptied_puts_what_it_has(shop: Shop, tmp_path: Path, url: str):
    one = Mirrored(tmp_path / "one", url)
    await built(shop, one)
    Mirror(url, PROGRAM).remove()
    Mirror(url, PROGRAM).remove()
    assert (await built(shop, one)).ranges == 0
    other = Mirrored(tmp_path / "other", url)
    assert (await built(shop, other)).ranges == 0
    assert content(tmp_path / "other") == content(tmp_path / "one")


async def test_what_was_put_in_part_is_put_again(shop: Shop, tmp_path: Path, url: str, monkeypatch):
    """The manifest comes last: without it a range is not there."""
    one = Mirrored(tmp_path / "one", url)
    put = Mirror._copy
    calls = iter(range(1_000))

    def killed(*given: object) -> None:
        if next(calls) == 5:
            raise KeyboardInterrupt
        put(*given)

    with monkeypatch.context() as cut:
        cut.setattr(Mirror, "_copy", killed)
        with pytest.raises(KeyboardInterrupt):
            await built(shop, one)
    mirror = Mirror(url, PROGRAM)
    mirror.pull(tmp_path / "none", _Log(shop.log_id), before=0, whole=4)
    assert content(tmp_path / "none") == {}
    await built(shop, one)
    mirror.pull(tmp_path / "all", _Log(shop.log_id), before=0, whole=4)
    assert content(tmp_path / "all") == content(tmp_path / "one" / PROGRAM)
    mirror.pull(tmp_path / "another", _Log(shop.log_id + 1), before=0, whole=4)
    assert content(tmp_path / "another") == {}


async def test_a_damaged_file_is_named_and_not_taken(shop: Shop, tmp_path: Path):
    url = f"file://{tmp_path / 'remote'}"
    await built(shop, Mirrored(tmp_path / "one", url))
    file = tmp_path / "remote" / PROGRAM / ranges.name_of(11) / "orders.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(TwinDamaged) as damaged:
        await built(shop, Mirrored(tmp_path / "other", url))
    assert (damaged.value.facts["range"], damaged.value.facts["file"]) == (ranges.name_of(11), "orders.parquet")
    assert not [name for name in content(tmp_path / "other") if name.startswith(f"{PROGRAM}/{ranges.name_of(11)}")]


def test_the_setting_is_a_directory_or_a_url(tmp_path: Path):
    assert Settings(data_dir=tmp_path).twin == tmp_path / "twin"
    assert Settings(data_dir=tmp_path, twin_dir="elsewhere").twin == Path("elsewhere")
    assert Settings(data_dir=tmp_path, twin_dir="s3://b/p").twin == Mirrored(tmp_path / "twin", "s3://b/p")


class _Log:
    """As much of a book as names a log."""

    program = PROGRAM

    def __init__(self, log_id: int) -> None:
        self.log_id = log_id
