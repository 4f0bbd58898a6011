"""Settings: their defaults, what they refuse, and that no message shows a secret."""

import os
from pathlib import Path

import pytest

from ledger.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for name in [name for name in os.environ if name.upper().startswith("LEDGER_")]:
        monkeypatch.delenv(name)


def test_nothing_set_gives_an_embedded_ledger_on_loopback():
    settings = Settings.from_environment()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.database_url is None
    assert settings.data_dir == Path(".ledger")
    assert (settings.batch_commands_max, settings.batch_bytes_max) == (1000, 8 * 2**20)


def test_every_setting_is_described():
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("LEDGER_PROT", "1", "unknown setting LEDGER_PROT: did you mean LEDGER_PORT?"),
        ("LEDGER_DATABASEURL", "x", "unknown setting LEDGER_DATABASEURL: did you mean LEDGER_DATABASE_URL?"),
        ("ledger_datadir", "x", "unknown setting ledger_datadir: did you mean LEDGER_DATA_DIR?"),
        ("LEDGER_PORT", "http", "LEDGER_PORT: should be a valid integer, unable to parse string as an integer"),
        ("LEDGER_PORT", "70000", "LEDGER_PORT: should be less than or equal to 65535"),
        ("LEDGER_LOG_LEVEL", "loud", "LEDGER_LOG_LEVEL: should be 'debug', 'info', 'warning' or 'error'"),
        ("LEDGER_DATABASE_URL", "mysql://u:secret@h/d", "LEDGER_DATABASE_URL: must begin with postgresql://"),
        (
            "LEDGER_DATABASE_URL",
            "postgresql+asyncpg://u:secret@h/d",
            "LEDGER_DATABASE_URL: must begin with postgresql://",
        ),
    ],
)
def test_what_will_not_do_is_refused_in_one_line(monkeypatch, name, value, message):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refusal:
        Settings.from_environment()
    assert str(refusal.value) == message
    assert refusal.value.__cause__ is None


def test_what_is_set_is_read(monkeypatch, tmp_path):
    monkeypatch.setenv("LEDGER_PORT", "0")
    monkeypatch.setenv("LEDGER_LOG_LEVEL", "WARNING")
    monkeypatch.setenv("LEDGER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LEDGER_DATABASE_URL", "postgresql://u:secret@h/d")
    settings = Settings.from_environment()
    assert (settings.port, settings.log_level, settings.data_dir) == (0, "warning", tmp_path)
    assert "secret" not in repr(settings)


def test_an_empty_value_is_as_good_as_none(monkeypatch):
    monkeypatch.setenv("LEDGER_DATABASE_URL", "")
    assert Settings.from_environment().database_url is None


def test_the_name_of_the_test_data_is_tolerated(monkeypatch):
    monkeypatch.setenv("LEDGER_TEST_DATA", "somewhere")
    Settings.from_environment()
