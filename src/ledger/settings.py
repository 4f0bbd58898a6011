"""The service's settings: environment variables beginning with LEDGER_, and nothing else.

A name nobody knows is refused, since a misspelt setting that is ignored is found out too late.
"""

import difflib
import os
import re
from pathlib import Path
from typing import Literal, NamedTuple, Self

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "LEDGER_"
TOLERATED = frozenset({"LEDGER_TEST_DATA", "LEDGER_TEST_TWIN_URL"})  # read by the tests alone
SCHEMES = ("postgresql://", "postgres://")
MEBIBYTE = 2**20

_MASTER = re.compile(r"local(\[(\*|[1-9][0-9]*)(,[1-9][0-9]*)?\])?|yarn|(spark|k8s)://\S+")
"""What Spark takes as a master; the first number is of threads, the second of attempts."""


class Mirrored(NamedTuple):
    """A twin in object storage: the files of this machine, and the URL under which all machines find them."""

    local: Path
    url: str


class SettingsError(ValueError):
    """The environment cannot be used; the message is one line that names the variable."""


class Settings(BaseSettings):
    """Every setting with its default; read by `Settings.from_environment()`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65_535, description="The TCP port to listen on; 0 = any free one.")
    database_url: str | None = Field(
        None,
        repr=False,  # it may hold a password
        description="postgresql://… of a PostgreSQL 15 to 18. Not set: an embedded one in the data directory.",
    )
    data_dir: Path = Field(
        Path(".ledger"), description="Where the embedded database and the first admin key are kept; made if missing."
    )
    codes_key: str | None = Field(
        None,
        repr=False,  # whoever has it makes codes
        pattern=r"^[0-9a-fA-F]{64}$",
        description="64 hexadecimal digits with which codes of coupons are made. Not set: `codes.key` in the data directory.",
    )
    twin_dir: str | None = Field(
        None,
        repr=False,  # a URL may hold a secret
        description="Where the columnar twin of each log is kept: a directory, or object storage as s3://bucket/path. "
        "Not set: `twin` in the data directory.",
    )
    engine: Literal["duckdb", "spark"] = Field(
        "duckdb", description="What metrics and reports run on: duckdb in the process, or spark over the same files."
    )
    spark_master: str = Field(
        "local[*]", description="Spark's master, where the engine is spark: local[*], spark://host:7077, yarn, k8s://…."
    )
    twin_seal: bool = Field(
        default=True, description="Whether `ledger serve` seals the twin in a process beside itself, as the log grows."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")
    queue_commands_max: int = Field(
        10_000, ge=1, le=1_000_000, description="Commands that may wait to be written in a process; beyond it, 429."
    )
    batch_commands_max: int = Field(
        1_000, ge=1, le=10_000, description="Commands decided and appended at once, at most."
    )
    batch_bytes_max: int = Field(
        8 * MEBIBYTE, ge=MEBIBYTE, le=64 * MEBIBYTE, description="Bytes of records appended at once, at most."
    )

    @classmethod
    def from_environment(cls) -> Self:
        """Read the environment.

        Raises:
            SettingsError: an unknown LEDGER_* name (with the nearest known one), or a value that will not do.
        """
        known = {f"{PREFIX}{field}".upper() for field in cls.model_fields} | TOLERATED
        for name in sorted(os.environ):
            if name.upper().startswith(PREFIX) and name.upper() not in known:
                raise SettingsError(_unknown(name, known - TOLERATED))
        try:
            return cls()
        except ValidationError as error:
            raise SettingsError(_faults(error)) from None  # the cause would show the value

    @property
    def twin(self) -> "Path | Mirrored":
        """Where the twin is kept; of one in object storage, this machine's own files lie in the data directory."""
        if self.twin_dir is None:
            return self.data_dir / "twin"
        return Mirrored(self.data_dir / "twin", self.twin_dir) if "://" in self.twin_dir else Path(self.twin_dir)

    @field_validator("engine", "log_level", mode="before")
    @classmethod
    def _in_lower_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("spark_master")
    @classmethod
    def _of_spark(cls, master: str) -> str:
        if not _MASTER.fullmatch(master):
            raise ValueError("must be local, local[n], local[*], yarn, or begin with spark:// or k8s://")
        return master

    @field_validator("database_url")
    @classmethod
    def _of_postgresql(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(SCHEMES):
            raise ValueError("must begin with postgresql://")
        return url


def _unknown(name: str, known: set[str]) -> str:
    nearest = difflib.get_close_matches(name.upper(), sorted(known), n=1, cutoff=0)
    return f"unknown setting {name}: did you mean {nearest[0]}?"


def _faults(error: ValidationError) -> str:
    return "; ".join(f"{PREFIX}{str(fault['loc'][0]).upper()}: {_reason(fault['msg'])}" for fault in error.errors())


def _reason(message: str) -> str:
    sentence = message.removeprefix("Value error, ").removeprefix("Input ")
    return sentence[0].lower() + sentence[1:]
