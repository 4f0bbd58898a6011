"""The command line: `ledger`. Each family of commands stands in a file of `api/commands`."""

import sys

import typer

from api.commands.backtests import run_backtest
from api.commands.changes import changes
from api.commands.correct import adjustments, correct
from api.commands.coupons import coupons
from api.commands.customers import replay
from api.commands.imports import import_file
from api.commands.keyring import keys
from api.commands.metrics import metric
from api.commands.programs import programs
from api.commands.projecting import rebuild_models
from api.commands.refusals import refusals
from api.commands.report_shop import shop
from api.commands.reports import report
from api.commands.rulebooks import rules
from api.commands.running import with_one_line
from api.commands.serving import serve
from api.commands.tiers import tiers
from api.commands.twin import twin
from api.commands.upkeep import check_ledger, heads, migrate
from api.telemetry import configure_logging
from ledger.settings import PREFIX, Settings

app = typer.Typer(
    name="ledger",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="A customer-asset ledger: every order, point and balance of a retailer's customers, append-only, as of any date.",
)


def _settings() -> str:
    """Every setting, one a line, for the end of the help."""
    lines = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f" [{field.default}]"
        lines.append(f"- {PREFIX}{name.upper()}: {field.description}{default}")
    return "\n".join(["**Settings** (environment variables):", "", *lines])


app.command(epilog=_settings())(serve)
app.command()(migrate)
app.command("import")(import_file)
app.command()(replay)
app.command()(metric)
report.command("shop")(shop)
app.add_typer(twin, name="twin")
app.command("check")(check_ledger)
app.command("rebuild")(rebuild_models)
app.add_typer(heads, name="heads")
app.add_typer(refusals, name="refusals")
app.add_typer(keys, name="keys")
app.add_typer(programs, name="programs")
app.add_typer(changes, name="changes")
app.command()(correct)
app.add_typer(adjustments, name="adjustments")
app.add_typer(coupons, name="coupons")
app.add_typer(tiers, name="tiers")
rules.command("backtest")(run_backtest)
app.add_typer(rules, name="rules")
app.add_typer(report, name="report")


def main() -> None:
    """The entry point."""
    configure_logging("warning")
    sys.exit(with_one_line(app))
