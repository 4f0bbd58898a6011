"""The sections about customers and their points: who is leaving, stages, who carries the money, points."""

from projections.reports.shop import charts
from projections.reports.shop.asking import Report
from projections.reports.shop.charts import Cell, Named, Series
from projections.reports.shop.sections import NO_DATA, Section, in_words, is_unfinished, month, periods
from projections.reports.shop.words import Text, money, number, percent

SHOWN_MAX = 20
"""Customers named on the page; the metric gives more."""

STAGES = {
    "active": (Text("active", "活跃"), "#0072b2"),
    "returning": (Text("returning", "回头客"), "#56b4e9"),
    "new": (Text("new", "新客"), "#007a5a"),
    "silent": (Text("silent", "沉默"), "#e6b800"),
    "dormant": (Text("dormant", "休眠"), "#d55e00"),
    "churned": (Text("lost", "流失"), "#6b6b6b"),
}
"""Stages of customers who have bought, from the bottom of a bar up, with their colours."""

NAMES = {
    "not_yet": Text("not yet", "未加入"),
    "prospect": Text("no order", "未购买"),
    **{stage: name for stage, (name, _) in STAGES.items()},
}

NO_POINTS = Text("No data: no points are recorded up to this date.", "暂无数据：截至该日期没有积分记录。")
NOBODY = Text("Nobody is leaving: every customer ordered lately.", "没有正在流失的客户：所有客户近期均有订单。")


LEAVING_HEADS = (
    "customer 客户",
    "stage 阶段",
    "last order 末单日期",
    "days ago 天前#",
    "last bought 末次购买",
    "orders 订单#",
    "worth 累计#",
)


def leaving(report: Report) -> Section:
    """The most valuable customers who are silent or dormant."""
    answer = report.answers["leaving"]
    asked = answer["parameters"]
    has_orders = any(row["customers"] for row in report.answers["stage"]["rows"] if row["stage"] in STAGES)
    rows = answer["rows"][:SHOWN_MAX]
    return Section(
        "leaving",
        Text("Who is leaving", "谁在流失"),
        Text(
            f"The {SHOWN_MAX} customers worth most who have not ordered for {asked['silent']} days (silent) or "
            f"{asked['dormant']} days (dormant), but less than {asked['churned']}: the ones to call first.",
            f"超过 {asked['silent']} 天（沉默）或 {asked['dormant']} 天（休眠）、但不足 {asked['churned']} 天未下单的客户中"
            f"累计消费最高的 {SHOWN_MAX} 位，建议优先联系。",
        ),
        "" if rows else None,
        (
            "customer 客户",
            "stage 阶段",
            "last order 末单日期",
            "days ago 天前#",
            "last bought 末次购买",
            "orders 订单#",
            "worth 累计#",
        ),
        [
            (
                row["customer"],
                f"{NAMES[row['stage']].en} {NAMES[row['stage']].zh}",
                row["last_on"],
                number(row["days_since"]),
                row["last_bought"] or "–",
                number(row["orders"]),
                money(row["amount"], report.currency),
            )
            for row in rows
        ],
        [answer],
        NOBODY if has_orders else NO_DATA,
    )


def stages(report: Report) -> Section:
    """How many customers are in each stage at the end of each month."""
    title = Text("Stages of customers", "客户生命周期阶段")
    answer = report.answers["stage"]
    ends = [*report.month_ends, {**answer, "period": answer["as_of"][:10]}]
    counted = [(end["period"], {row["stage"]: row["customers"] for row in end["rows"]}) for end in ends]
    bought = sum(counted[-1][1][stage] for stage in STAGES)
    asked = answer["parameters"]
    chart = None
    if bought:
        series = [
            Series(name, [counts[stage] for _, counts in counted], colour) for stage, (name, colour) in STAGES.items()
        ]
        last = counted[-1][1]
        told = Text(
            ", ".join(f"{name.en} {number(last[stage])}" for stage, (name, _) in STAGES.items()),
            "，".join(f"{name.zh} {number(last[stage])}" for stage, (name, _) in STAGES.items()),
        )
        named = Named("stages", title, told)
        chart = charts.bars(named, [period for period, _ in counted], series, number, open_end=False)
    return Section(
        "stages",
        title,
        Text(
            f"Customers who have bought, by their last order: silent after {asked['silent']} days, dormant after "
            f"{asked['dormant']}, lost after {asked['churned']}; active with {asked['k']} orders in {asked['window']} days. "
            "At the end of each month, and on the day of the report.",
            "已购买客户按末次下单划分："
            f"{asked['silent']} 天未下单为沉默，{asked['dormant']} 天为休眠，{asked['churned']} 天为流失；"
            f"{asked['window']} 天内 {asked['k']} 单及以上为活跃。各月末及报告日。",
        ),
        chart,
        ("end of 截至", *(f"{name.en} {name.zh}#" for name, _ in STAGES.values())),
        [(period, *(number(counts[stage]) for stage in STAGES)) for period, counts in counted] if bought else [],
        [answer],
    )


def flows(report: Report) -> Section:
    """From which stage to which customers went."""
    title = Text("Who moved where", "阶段流转")
    answer = report.answers["flows"]
    found = {(row["before"], row["after"]): row["customers"] for row in answer["rows"]}
    before = [stage for stage in ("not_yet", "prospect", *STAGES) if any(one == stage for one, _ in found)]
    after = [stage for stage in ("prospect", *STAGES) if any(one == stage for _, one in found)]
    rows = []
    for begin in before:
        whole = sum(found.get((begin, end), 0) for end in after)
        cells = [
            Cell(found[begin, end] / whole, number(found[begin, end])) if (begin, end) in found else None
            for end in after
        ]
        rows.append((f"{NAMES[begin].en} {NAMES[begin].zh}", number(whole), cells))
    chart = None
    if found:
        told = Text(
            f"Rows: the stage on {report.now.start}. Columns: the stage now. The table has the numbers.",
            f"行为 {report.now.start} 时的阶段，列为现在的阶段，数字见表格。",
        )
        seen = [index for index, stage in enumerate(after) if stage in STAGES]
        shown = [(name, whole, [cells[index] for index in seen]) for name, whole, cells in rows]
        heads = [NAMES[after[index]].en for index in seen]
        chart = charts.heat(Named("flows", title, told), heads, shown, name=104)
    return Section(
        "flows",
        title,
        Text(
            f"Rows: the stage when {report.now.start} began, and how many customers were in it. Columns: where they are now. "
            "The darker, the larger the share of the row.",
            f"行：{report.now.start} 开始时的阶段及人数；列：现在的阶段。颜色越深，占该行比例越大。",
        ),
        chart,
        ("before 之前", "customers 人数#", *(f"{NAMES[stage].en} {NAMES[stage].zh}#" for stage in after)),
        [(name, whole, *("" if cell is None else cell.label for cell in cells)) for name, whole, cells in rows],
        [answer],
    )


def concentration(report: Report) -> Section:
    """Which share of the money comes from which share of the buyers."""
    title = Text("Who carries the money", "销售额集中度")
    answer = report.answers["concentration"]
    rows = answer["rows"]
    chart = None
    if rows and rows[0]["of_amount"]:
        points_ = [(0.0, 0.0), *((row["buyers"] / row["of_buyers"], row["share"]) for row in rows), (1.0, 1.0)]
        told = Text(
            "; ".join(f"top {row['top_percent']:g} %: {percent(row['share'])}" for row in rows),
            "；".join(f"前 {row['top_percent']:g} %：{percent(row['share'])}" for row in rows),
        )
        chart = charts.curve(Named("concentration", title, told), points_, lambda value: f"{value * 100:.0f} %")
    return Section(
        "concentration",
        title,
        Text(
            "Across: the share of all buyers, the most valuable first. Up: the share of all money they account for. "
            "On the straight line everyone would be worth the same.",
            "横轴：按消费从高到低累计的购买者占比；纵轴：其销售额占比。直线表示人人相同。",
        ),
        chart,
        ("top 前", "buyers 购买者#", "money 金额#", "share 占比#"),
        [
            (
                f"{row['top_percent']:g} %",
                number(row["buyers"]),
                money(row["amount"], report.currency, whole=True),
                percent(row["share"]),
            )
            for row in rows
        ],
        [answer],
    )


def points(report: Report) -> Section:
    """Points granted against redeemed and expired."""
    title = Text("Points granted, redeemed, expired", "积分发放、兑换与过期")
    answer = report.answers["points"]
    rows = answer["rows"]
    chart = None
    if rows:
        series = [
            Series(Text("granted", "发放"), [row["granted"] for row in rows]),
            Series(Text("redeemed", "兑换"), [row["redeemed"] for row in rows]),
            Series(Text("expired", "过期"), [row["expired"] for row in rows]),
        ]
        named = Named("points", title, in_words(rows, "granted", number))
        chart = charts.lines(named, periods(rows), series, charts.short, open_end=is_unfinished(rows))
    return Section(
        "points",
        title,
        Text("What came to customers in each month, and what went.", "每月发放、兑换与过期的积分。"),
        chart,
        ("month 月份", "granted 发放#", "redeemed 兑换#", "expired 过期#", "taken back 收回#", "outstanding 余额#"),
        [
            (month(row), *(number(row[name]) for name in ("granted", "redeemed", "expired", "reversed", "outstanding")))
            for row in rows
        ],
        [answer],
        NO_POINTS,
    )


def expiring(report: Report) -> Section:
    """What of the points will expire when, if nobody redeems them."""
    title = Text("Points that will expire", "即将过期的积分")
    answer = report.answers["outstanding"]
    rows = [row for row in answer["rows"] if row["outstanding"]]
    chart = None
    if rows:
        series = [Series(Text("points", "积分"), [row["outstanding"] for row in rows])]
        there = [(row["outstanding"], row["month"]) for row in rows]
        told = Text(
            f"{number(sum(amount for amount, _ in there))} points in all, most in {max(there)[1]}.",
            f"共 {number(sum(amount for amount, _ in there))} 积分，最多在 {max(there)[1]}。",
        )
        months = [row["month"] for row in rows]
        chart = charts.bars(Named("expiring", title, told), months, series, charts.short, open_end=False)
    return Section(
        "expiring",
        title,
        Text(
            "What customers hold now, by the month in which it expires if they do not use it.",
            "客户现有积分按过期月份分布（如不使用）。",
        ),
        chart,
        ("month 月份", "lots 批次#", "points 积分#"),
        [(row["month"], number(row["lots"]), number(row["outstanding"])) for row in rows],
        [answer],
        NO_POINTS,
    )
