"""Every definition, in the order they are listed."""

from projections.metrics.definition import Definition
from projections.metrics.definitions import (
    aov_customer,
    aov_order,
    buyers,
    cohort,
    customers,
    orders,
    repurchase_cohort,
    repurchase_period,
    repurchase_window,
    returning_share,
    revenue,
    revenue_new_returning,
    spend_per_buyer,
    spend_per_cover,
    units_per_order,
)

DEFINITIONS: tuple[Definition, ...] = tuple(
    module.DEFINITION
    for module in (
        customers,
        buyers,
        orders,
        revenue,
        revenue_new_returning,
        aov_order,
        aov_customer,
        spend_per_buyer,
        spend_per_cover,
        units_per_order,
        repurchase_window,
        repurchase_period,
        repurchase_cohort,
        returning_share,
        cohort,
    )
)
