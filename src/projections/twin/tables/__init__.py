"""The tables of the twin, one declared schema a file. A table for a new record type is one more file, listed here."""

from projections.twin.declaring import Table
from projections.twin.tables.lot_entries import LOT_ENTRIES
from projections.twin.tables.memberships import MEMBERSHIPS
from projections.twin.tables.openings import OPENINGS
from projections.twin.tables.order_lines import ORDER_LINES
from projections.twin.tables.orders import ORDERS
from projections.twin.tables.postings import POSTINGS
from projections.twin.tables.prepayments import PREPAYMENTS
from projections.twin.tables.records import RECORDS
from projections.twin.tables.referrals import REFERRALS
from projections.twin.tables.refund_lines import REFUND_LINES
from projections.twin.tables.refund_parts import REFUND_PARTS
from projections.twin.tables.refunds import REFUNDS
from projections.twin.tables.returned_lines import RETURNED_LINES
from projections.twin.tables.signups import SIGNUPS
from projections.twin.tables.tenders import TENDERS
from projections.twin.tables.tier_changes import TIER_CHANGES

TABLES: tuple[Table, ...] = (
    RECORDS,
    SIGNUPS,
    OPENINGS,
    ORDERS,
    ORDER_LINES,
    TENDERS,
    REFUNDS,
    REFUND_PARTS,
    REFUND_LINES,
    RETURNED_LINES,
    PREPAYMENTS,
    MEMBERSHIPS,
    REFERRALS,
    POSTINGS,
    LOT_ENTRIES,
    TIER_CHANGES,
)
