"""Two things every definition may need of a table: the first row of each group, and tables one under the other."""

from projections.twin.fleet import Expression


def first_of(table: Expression, key: str, order: list[Expression]) -> Expression:
    """The first row of each group, in an order without ties."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    numbered = table.mutate(place=ibis.row_number().over(group_by=key, order_by=order))
    return numbered.filter(numbered.place == 0).drop("place")


def stacked(*tables: Expression) -> Expression:
    """Tables with the same columns one under the other, whether or not a column may be null in each."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    names = tables[0].columns
    loose = [
        table.select(**{name: table[name].cast(table[name].type().copy(nullable=True)) for name in names})
        for table in tables
    ]
    return ibis.union(*loose) if len(loose) > 1 else loose[0]
