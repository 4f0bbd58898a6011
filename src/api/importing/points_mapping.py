"""A mapping of kind `points`: rows say what a customer earned and redeemed in a month, or at an instant; docs/IMPORT.md.

What a file of points leaves open is said here: how many decimals points have, whether a row that is there twice counts twice,
and where the points come from that were redeemed before they were earned.
"""

from functools import cached_property
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, Field, StringConstraints, field_validator, model_validator

from api.importing.mapping import Column, Csv, Part, not_ours, zone_that_exists
from ledger.instants import from_datetime
from ledger.shapes.points import GrantReason


class Month(Part):
    """A month in two columns."""

    year: Column
    month: Column


class PointsColumns(Part):
    """Which column is what; `value` is the money a redemption was worth.

    When is either `time`, or `month`: then what is earned counts from the beginning of the month, what is redeemed at its end.
    """

    customer: Column
    time: Column | None = None
    month: Month | None = None
    earned: Column
    redeemed: Column
    value: Column | None = None

    @model_validator(mode="after")
    def _one_time(self) -> "PointsColumns":
        if (self.time is None) == (self.month is None):
            raise ValueError("give either time or month")
        return self


class Duplicates(Part):
    """Rows equal in the columns that are read and in these are the same row said again: each counts (`keep`), or one (`drop`)."""

    treat: Literal["keep", "drop"]
    columns: tuple[Column, ...] = ()


class Members(Part):
    """A second file beside the first: a row a customer, with the tier it stands at and the month in which it signed up."""

    file: Annotated[str, StringConstraints(pattern=r"^[^/\\]+\.(csv|parquet)$")]
    customer: Column
    tier: Column | None = None
    tiers: dict[str, str] = Field({}, description="What the file calls a tier, and what the rules do.")
    signed_up: Month | None = None


class PointsMapping(Part):
    """One mapping.

    Attributes:
        system, cutover_at: of the openings; every row lies at the cut-over or after it.
        points_scale: decimals of points, the program's; more in the file are refused, not rounded.
        opening: what a customer had at the cut-over: as much as it takes for no month to end below nothing (`derived`), or nothing.
    """

    kind: Literal["points"]
    source: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    system: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    cutover_at: AwareDatetime
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    time_zone: str
    time_format: str | None = None
    points_scale: int = Field(ge=0, le=4)
    columns: PointsColumns
    reason: GrantReason = "service"
    duplicates: Duplicates
    opening: Literal["derived", "none"]
    members: Members | None = None
    csv: Csv = Csv()

    _source = field_validator("source")(not_ours)
    _zone = field_validator("time_zone")(zone_that_exists)

    @cached_property
    def zone(self) -> ZoneInfo:
        """Where months begin, and times without an offset were written down."""
        return ZoneInfo(self.time_zone)

    @cached_property
    def cutover(self) -> int:
        """The cut-over in microseconds."""
        return from_datetime(self.cutover_at)

    @cached_property
    def columns_read(self) -> tuple[str, ...]:
        """Every column of the first file that is read: who, when (one or two), earned, redeemed, value, and the others."""
        columns = self.columns
        when = (columns.month.year, columns.month.month) if columns.month else (columns.time or "",)
        value = () if columns.value is None else (columns.value,)
        named = (columns.customer, *when, columns.earned, columns.redeemed, *value)
        return tuple(dict.fromkeys((*named, *self.duplicates.columns)))
