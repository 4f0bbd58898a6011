"""Six metrics as somebody would write them by hand in DuckDB's SQL: what their expressions are held against, in time and result.

Each gives what the first row of the metric shows of `compared`, with its default parameters and everything up to now.
"""

from typing import Any

COUNTED = """
WITH undone AS (SELECT reference, sum(amount) AS refunded FROM refund_parts GROUP BY ALL),
counted AS (
    SELECT o.customer, o."at", o.local_at, o.total - coalesce(u.refunded, 0) AS net
    FROM orders AS o LEFT JOIN undone AS u USING (reference)
    WHERE o.total > 0 AND o.total > coalesce(u.refunded, 0)
)
"""

BY_HAND: dict[str, tuple[str, tuple[str, ...]]] = {
    "revenue": (
        "SELECT (SELECT sum(total) FROM orders) AS gross, (SELECT sum(amount) FROM refunds) AS refunds",
        ("gross", "refunds"),
    ),
    "aov/order": (f"{COUNTED} SELECT sum(net) AS amount, count(*) AS orders FROM counted", ("amount", "orders")),
    "repurchase_rate/window": (
        f"""{COUNTED} SELECT count(*) FILTER (n > 1) AS repeaters, count(*) AS buyers
        FROM (SELECT count(*) AS n FROM counted GROUP BY customer)""",
        ("repeaters", "buyers"),
    ),
    "cohort": (
        f"""{COUNTED},
        firsts AS (SELECT customer, min(local_at) AS first_at FROM counted GROUP BY customer)
        SELECT date_trunc('month', first_at) AS cohort, date_diff('month', first_at, local_at) AS k,
            count(DISTINCT customer) AS customers, sum(net) AS amount
        FROM counted JOIN firsts USING (customer) GROUP BY ALL ORDER BY cohort, k""",
        ("customers", "amount"),
    ),
    "rfm/quantile": (
        f"""{COUNTED},
        each AS (
            SELECT customer, date_diff('day', max("at"), now()::TIMESTAMP) AS recency, count(*) AS frequency, sum(net) AS amount
            FROM counted GROUP BY customer
        ),
        ranked AS (SELECT *, row_number() OVER (ORDER BY frequency, customer) AS place FROM each),
        edges AS (
            SELECT quantile_cont(recency, [0.2, 0.4, 0.6, 0.8]) AS r, quantile_cont(place, [0.2, 0.4, 0.6, 0.8]) AS f FROM ranked
        ),
        scored AS (
            SELECT 5 - len(list_filter(r, lambda edge: edge < recency)) AS rs,
                1 + len(list_filter(f, lambda edge: edge < place)) AS fs, recency, frequency, amount
            FROM ranked, edges
        )
        SELECT rs, fs, count(*) AS customers, avg(recency), avg(frequency), avg(amount), sum(amount) AS amount
        FROM scored GROUP BY rs, fs ORDER BY rs, fs""",
        (),
    ),
    "concentration": (
        f"""{COUNTED},
        each AS (SELECT customer, sum(net) AS amount FROM counted GROUP BY customer),
        ranked AS (SELECT amount, row_number() OVER (ORDER BY amount DESC, customer) AS place, count(*) OVER () AS n FROM each)
        SELECT sum(amount) FILTER (place <= ceil(n * 0.01))::BIGINT AS amount,
            sum(amount) FILTER (place <= ceil(n * 0.05)), sum(amount) FILTER (place <= ceil(n * 0.1)),
            sum(amount) FILTER (place <= ceil(n * 0.2)), sum(amount) FILTER (place <= ceil(n * 0.5))
        FROM ranked""",
        ("amount",),
    ),
}
"""Metric → its SQL over the twin's tables, and the columns of the first row that must be the same as the metric's."""


def differs(name: str, by_hand: dict[str, Any], row: dict[str, Any]) -> str | None:
    """What is not the same in the first rows of both, in words."""
    for column in BY_HAND[name][1]:
        if int(by_hand[column]) != int(row[column]):
            return f"{name}: {column} is {row[column]:,}, by hand {by_hand[column]:,}"
    return None
