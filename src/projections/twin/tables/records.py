"""Every record of a customer, without its content: what opened a stream when, how many records stand behind a number."""

from projections.twin.declaring import OF_RECORD, VERSION, Column, Table

RECORDS = Table(
    name="records",
    says="A record of a customer's stream.",
    shape={},
    rows="parsed AS r",
    columns=(
        *OF_RECORD,
        VERSION,
        Column("type", "VARCHAR", "r.type", required=True),
        Column("recorded_at", "TIMESTAMP", "r.recorded_at", required=True),
    ),
    control=(("*", "type"),),
)
