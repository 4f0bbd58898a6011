"""docs/METRICS.md, written from the definitions: `python -m projections.metrics.documenting > docs/METRICS.md`."""

import sys

from projections.metrics.definition import Definition, Parameter
from projections.metrics.definitions import DEFINITIONS

HEAD = """\
# Metrics

Published figures contradict each other unless their parameters are part of the definition. Each number here has a name, a version,
a sentence and its parameters; an answer carries all of them with its cut-offs and its position. This page is written from the
definitions in [`projections/metrics/definitions`](../src/projections/metrics/definitions), and a test keeps the two equal.

    ledger metric repurchase_rate/window by=month from=2026-01-01 to=2026-07-01
    GET /v1/programs/{program}/metrics/repurchase_rate/window?by=month&as_of=2026-06-30

## Words every metric uses

**Order**: one `purchase.recorded`. gross = its total: Σ line amounts after discounts, before tenders, as the sender stated it.
net = gross − refunds of that order with time ≤ `as_of`. A return that matched no order lowers its period's revenue and no order.
**Counted order**: gross > 0 (`zero_value=include`: any), and not fully refunded under `amount=net`. **Occasion**: an order
(`unit=order`), or a customer's business day with one (`unit=day`). **Buyer**: a customer with a counted order in the window.

Windows are `[from, to)`; a date is the first instant of that day in the program's zone. A ratio whose denominator is 0 is null. A
period that had not ended at `as_of`, or that the window cuts, is `incomplete`. Money is in minor units of `currency`; of several
currencies one must be chosen.
"""


def markdown() -> str:
    """The whole page."""
    return HEAD + "".join(_section(one) for one in DEFINITIONS)


def _section(one: Definition) -> str:
    by = f"By: {', '.join(one.by)}.\n" if one.by else ""
    window = "" if one.window else "Looks at no window, only at `as_of`.\n"
    table = "".join(_row(parameter) for parameter in one.parameters)
    head = "\n| parameter | default | what |\n|---|---|---|\n" if table else ""
    return f"\n## {one.id}\n\n{one.sentence}\n\n{one.formula}\n\n{by}{window}{head}{table}"


def _row(parameter: Parameter) -> str:
    shown = parameter.default
    default = "" if shown is None else ",".join(map(str, shown)) if isinstance(shown, tuple) else str(shown)
    choices = f" ({', '.join(parameter.choices)})" if parameter.choices else ""
    return f"| `{parameter.name}` | {default} | {parameter.says}{choices} |\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
