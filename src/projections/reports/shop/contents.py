"""Every section of the report, in the order in which it is read."""

from projections.reports.shop import sections as trade
from projections.reports.shop import sections_customers as customers
from projections.reports.shop.asking import Report
from projections.reports.shop.sections import Section


def sections(report: Report) -> list[Section]:
    """First what the answers at the top rest on, then the rest."""
    return [
        trade.pool(report),
        trade.repurchase(report),
        trade.average_order(report),
        trade.revenue(report),
        customers.leaving(report),
        customers.stages(report),
        customers.flows(report),
        trade.cohorts(report),
        customers.concentration(report),
        customers.points(report),
        customers.expiring(report),
    ]
