"""The README's first screen works as it is printed."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from ledger.settings import Settings
from tests.postgres import wait_until

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PRINTED_PORT = str(Settings.model_fields["port"].default)


@pytest.fixture
def served(data_dir: Path) -> Iterator[tuple[Path, str]]:
    """A server as `make run` starts it, in a directory of its own and on a free port: (directory, port)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    data_dir.mkdir(mode=0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")}
    with (data_dir / "serve.log").open("wb") as log:
        server = subprocess.Popen(
            [ROOT / ".venv" / "bin" / "ledger", "serve"],
            cwd=data_dir,
            env={**environment, "LEDGER_PORT": port},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: _answers(port) or server.poll() is not None)
        assert server.poll() is None, (data_dir / "serve.log").read_text()
        yield data_dir, port
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=30) == 0


def test_the_first_post_and_the_first_read_work_as_printed(served: tuple[Path, str]) -> None:
    directory, port = served
    post, read = (block for block in _shell_blocks() if block.startswith("curl"))

    receipt = _run(post, directory, port)
    customer = _run(read, directory, port)
    again = _run(post, directory, port)

    assert receipt["status"] == "recorded"
    assert receipt["balances"] == {"points": 85}
    assert customer["totals"]["orders"] == 1, "after 2027-12-01 the points are gone, the order is not"
    assert again == {**receipt, "status": "replayed"}


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    commands = _shell_blocks()[0].splitlines()
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert [line.split()[:2] for line in commands] == [["make", "run"], ["make", "test"]]
    assert {"run", "test"} <= set(targets)


def _shell_blocks() -> list[str]:
    return [block.strip() for block in re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)]


def _run(command: str, directory: Path, port: str) -> dict[str, object]:
    assert f":{PRINTED_PORT}/" in command
    done = subprocess.run(
        ["bash", "-c", command.replace(f":{PRINTED_PORT}/", f":{port}/")],
        cwd=directory,
        capture_output=True,
        check=True,
        timeout=30,
    )
    return json.loads(done.stdout)


def _answers(port: str) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
            return True
    except OSError:
        return False
