"""Read models behind a running server: what is found is what the accounts say, and nothing is wrong or missing meanwhile."""

import asyncio
import re
import threading
from itertools import pairwise

import psycopg
import pytest

from ledger import store
from projections.models import MODELS, builds
from projections.models.runner import Runner, projecting_pool, rebuild
from tests.api.serving import code_of, event, fresh, grant, purchase, redemption

PLACES = [
    {"store": "SZ-001", "channel": "mini_program", "guide": "g-7"},
    {"store": "SZ-002", "channel": "pos"},
    {"store": "SZ-003", "channel": "pos", "guide": "g-9"},
]


def caught_up(service):
    """Fold everything into every read model."""

    async def work():
        async with projecting_pool(service.database.service_url) as pool:
            await Runner(pool).catch_up()

    asyncio.run(work())


def rebuilt(service, name, program):
    """Rebuild a model; what became of one program."""

    async def work():
        async with projecting_pool(service.database.service_url) as pool:
            async with pool.acquire() as conn:
                logs = await store.list_logs(conn)
            found = [one async for one in rebuild(pool, MODELS[name], logs=logs, progress=lambda _: None)]
        return next(one for one in found if one.program == program)

    return asyncio.run(work())


def customers(shop, **query):
    answer = shop.client.get(f"/v1/programs/{shop.program}/customers", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def every_page(shop, **query):
    """All customers, three at a time."""
    found, after = [], {}
    while True:
        page = customers(shop, limit=3, **query, **after)
        found += page["customers"]
        if page["next"] is None:
            return found
        after = {"after": page["next"]}


@pytest.fixture
def pool(service, own_shop):
    """Eleven customers with orders, refunds, late events and points; folded."""
    names = [fresh("c") for _ in range(11)]
    for number, name in enumerate(names):
        for order in range(number % 4):
            data = {
                "order_id": f"{name}-{order}",
                "currency": "CNY",
                "total": 1000 * (order + number),
                "place": PLACES[(number + order) % 3],
            }
            posted = event("purchase.recorded", name, data, time=f"2026-0{5 - order}-1{order}T10:00:00+08:00")
            assert own_shop.post(posted).status_code == 201
        if number % 4 == 3:
            refund = {"refund_id": fresh("RF"), "order_id": f"{name}-1", "amount": 500}
            posted = event("purchase.refunded", name, refund, time="2026-06-01T10:00:00+08:00")
            assert own_shop.post(posted).status_code == 201
        assert own_shop.post(grant(name, 5 + number)).status_code == 201
    assert own_shop.post(redemption(names[0], 3)).status_code == 201
    caught_up(service)
    own_shop.names = names
    return own_shop


def test_a_row_says_what_the_account_says(pool):
    for row in customers(pool)["customers"]:
        account = pool.client.get(f"/v1/programs/{pool.program}/customers/{row['customer']}").json()
        totals = account["totals"]
        assert row["version"] == account["version"]
        assert row["points"] == account["balances"]["points"]
        assert (row["orders"], row["refunds"]) == (totals["orders"], totals["refunds"])
        assert (row["gross"], row["net"]) == (totals["gross"].get("CNY", 0), totals["net"].get("CNY", 0))
        assert (row["first_order_at"], row["last_order_at"]) == (totals["first_order_at"], totals["last_order_at"])
    last = next(row for row in customers(pool)["customers"] if row["customer"] == pool.names[3])
    assert last["last_place"] == PLACES[0]
    assert last["first_place"] == PLACES[2]
    assert last["average"] == 4000


@pytest.mark.parametrize("sort", ["customer", "spend", "orders", "average", "points", "last_order", "expires"])
@pytest.mark.parametrize("way", ["", "-"])
def test_pages_hold_every_customer_once_and_in_order(pool, sort, way):
    found = every_page(pool, sort=way + sort)
    assert sorted(row["customer"] for row in found) == sorted(pool.names)
    value = {
        "customer": lambda row: row["customer"],
        "spend": lambda row: row["net"],
        "orders": lambda row: row["orders"],
        "average": lambda row: row["average"] or 0,
        "points": lambda row: row["points"],
        "last_order": lambda row: row["last_order_at"] or "",
        "expires": lambda row: row["expiring"]["next_at"] or "z",
    }[sort]
    for before, after in pairwise(found):
        first, second = (before, after) if not way else (after, before)
        assert (value(first), first["customer"]) <= (value(second), second["customer"])


def test_filters_find_what_they_say(pool):
    everyone = customers(pool)["customers"]

    def found(**query):
        return {row["customer"] for row in customers(pool, **query)["customers"]}

    def wanted(holds):
        return {row["customer"] for row in everyone if holds(row)}

    assert found(orders_min=2, orders_max=2) == wanted(lambda row: row["orders"] == 2)
    assert found(spend_min=9000) == wanted(lambda row: row["net"] >= 9000)
    assert found(store="SZ-003") == wanted(lambda row: (row["last_place"] or {}).get("store") == "SZ-003")
    assert found(first_guide="g-7") == wanted(lambda row: (row["first_place"] or {}).get("guide") == "g-7")
    assert found(last_order_before="2026-05-01", orders_min=1) == set()
    assert found(prefix=pool.names[4]) == wanted(lambda row: row["customer"].startswith(pool.names[4]))
    assert found(channel="pos", points_min=40, currency="CNY") == wanted(
        lambda row: (row["last_place"] or {}).get("channel") == "pos" and row["points"] >= 40
    )


@pytest.mark.parametrize(
    "query",
    [{"sort": "name"}, {"spend_min": "much"}, {"after": "x"}, {"last_order_from": "spring"}, {"colour": "red"}],
)
def test_what_is_malformed_is_refused(pool, query):
    answer = pool.client.get(f"/v1/programs/{pool.program}/customers", params=query)
    assert (answer.status_code, code_of(answer)) == (400, "parameter_malformed")


def test_money_of_several_currencies_is_compared_in_one_that_is_named(service, pool):
    rules = pool.client.get(f"/v1/programs/{pool.program}/rules").json()["rules"]
    assert rules["program"]["currencies"] == ["CNY"]
    answer = pool.client.get(f"/v1/programs/{pool.program}/customers", params={"sort": "-spend"})
    assert answer.status_code == 200


def test_nothing_is_answered_before_the_model_is_whole(service, own_shop):
    assert own_shop.post(purchase(fresh("c"))).status_code == 201
    answer = own_shop.client.get(f"/v1/programs/{own_shop.program}/customers")
    assert (answer.status_code, code_of(answer)) == (503, "read_model_building")


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MODELS))
def test_rebuilt_is_live_row_for_row_however_the_log_was_cut_into_pages(service, pool, name, monkeypatch):
    monkeypatch.setattr(builds.advance, "__kwdefaults__", {"up_to": None, "limit": 3})
    done = rebuilt(service, name, pool.program)
    assert (done.differing, done.stopped) == (0, None)
    assert done.rows == {"customers": 11, "orders": 15}[name]
    tables = as_superuser(service, "SELECT tablename FROM pg_tables WHERE schemaname = 'read_models'")
    assert sum(table.startswith(f"{name}_") for (table,) in tables) == 1


@pytest.mark.slow
def test_while_a_model_is_rebuilt_nothing_is_wrong_or_missing(service, pool):
    wanted = [row["customer"] for row in customers(pool)["customers"]]
    over = threading.Event()
    answers = []

    def read():
        while not over.is_set():
            answers.append([row["customer"] for row in customers(pool)["customers"]])

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(3):
        rebuilt(service, "customers", pool.program)
    over.set()
    reader.join()
    assert answers
    assert all(answer == wanted for answer in answers)


def test_a_rebuild_that_was_killed_goes_on_where_it_was(service, pool):
    async def begun():
        async with projecting_pool(service.database.service_url) as connections, connections.acquire() as conn:
            build = await builds.make(conn, MODELS["orders"], asked_for=True)
            log = await store.read_log_of(conn, pool.program)
            done = await builds.advance(conn, MODELS["orders"], build, log.log_id, limit=7)
            return build, done.checkpoint.position

    build, position = asyncio.run(begun())
    assert position == 7
    assert rebuilt(service, "orders", pool.program).differing == 0
    live = as_superuser(
        service,
        "SELECT build FROM read_models.live JOIN logs USING (log_id) "
        f"WHERE model = 'orders' AND program = '{pool.program}'",
    )
    assert live == [(build,)]


def test_a_record_that_cannot_be_folded_stops_its_model_and_is_shown(service, pool, durable):
    """Nothing is skipped; what came before it answers; once it can be read again, the model goes on by itself."""
    before = customers(pool)["position"]
    posted = [grant(pool.names[0], 1), grant(pool.names[1], 1), grant(pool.names[2], 1)]
    for one in posted:
        assert pool.post(one).status_code == 201
    there = f"WHERE position = {before + 2} AND log_id = (SELECT log_id FROM logs WHERE program = '{pool.program}')"
    as_superuser(
        service, f"UPDATE events SET record = replace(record::text, 'points.granted', 'points.blessed')::json {there}"
    )
    caught_up(service)
    assert customers(pool)["position"] == before + 1
    stopped = service.client("").get("/readyz").json()["stopped"]
    assert {
        "program": pool.program,
        "projection": "customers",
        "position": before + 2,
        "reason": "stream_unreadable",
    } in stopped
    text = service.client("").get("/metrics").text
    assert re.search(rf'ledger_projection_stopped\{{model="customers",program="{pool.program}"\}} 1', text)
    assert re.search(rf'ledger_projection_lag_records\{{model="customers",program="{pool.program}"\}} 2', text)

    as_superuser(
        service, f"UPDATE events SET record = replace(record::text, 'points.blessed', 'points.granted')::json {there}"
    )
    caught_up(service)
    assert customers(pool)["position"] == before + 1, "a stopped model is tried again by the next runner only"
    asyncio.run(tried_again(service))
    caught_up(service)
    assert customers(pool)["position"] == before + 3
    assert "stopped" not in service.client("").get("/readyz").json()


async def tried_again(service):
    async with projecting_pool(service.database.service_url) as connections, connections.acquire() as conn:
        await builds.try_again(conn)


def test_only_the_projections_own_role_writes_read_models_and_it_writes_nothing_else(service, pool):
    for role, statement in (
        ("ledger_service", "DELETE FROM read_models.live"),
        ("ledger_keys", "SELECT * FROM read_models.live"),
        ("ledger_projections", "DELETE FROM events"),
        ("ledger_projections", "UPDATE streams SET version = 1"),
    ):
        url = service.database.server.url(role, service.database.name)
        with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


@pytest.fixture
def durable(monkeypatch):
    """The tests' own clusters do not flush, for which the service is rightly not ready."""

    async def ready(_ledger):
        return {"durable": True}

    monkeypatch.setattr("ledger.service.Ledger.ready", ready)


def as_superuser(service, statement):
    with psycopg.connect(service.database.superuser_url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []
