"""The key with which codes are made and known: LEDGER_CODES_KEY, or a file in the data directory, made when it is first needed.

Whoever has it makes codes, and without it none is known again: processes on several machines share it by the setting.
"""

import os
import secrets
from pathlib import Path

from ledger.settings import Settings

KEY_FILE = "codes.key"
KEY_BYTES = 32


class CodesKey:
    """The key, read when it is first asked for."""

    def __init__(self, given: str | None, path: Path) -> None:
        self._key = None if given is None else bytes.fromhex(given)
        self._path = path

    @classmethod
    def of(cls, settings: Settings) -> "CodesKey":
        """The key of these settings."""
        return cls(settings.codes_key, settings.data_dir / KEY_FILE)

    def known(self) -> bytes | None:
        """The key; None where none was ever made, so that no code can be genuine."""
        if self._key is None and self._path.exists():
            self._key = bytes.fromhex(self._path.read_text().strip())
        return self._key

    def made(self) -> bytes:
        """The key; made, readable by its owner only, where there is none yet."""
        if (key := self.known()) is not None:
            return key
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_name(f"{KEY_FILE}.{os.getpid()}")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
        try:
            os.link(beside, self._path)  # fails where another process was first: its key counts
        except FileExistsError:
            pass
        finally:
            beside.unlink()
        key = self.known()
        if key is None:
            raise FileNotFoundError(self._path)
        return key
