"""Server processes that start in an instant and may be killed: forked from a process that has imported everything.

Run as a program it reads orders from its standard input, one JSON object a line, and answers each with the id of the
process it has forked. Each child serves the real application on a unix socket, with the faults its order names. When the
standard input ends, so do the children.

    {"socket", "url", "log", "faults": {…}, "settings": {…}, "works": bool}        faults: see tests/faults/injection.py
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import ledger
from tests.faults.serving import serve, show_tasks

ROOT = Path(__file__).parents[2]
PR_SET_PDEATHSIG = 1  # Linux: the child's end when its parent ends, however that does


class Nursery:
    """The parent's side: asks for children and counts them."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*_sources(), str(ROOT)])}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={name: value for name, value in environment.items() if not name.startswith("LEDGER_")},
        )
        assert self._answer() == "ready"

    def fork(self, order: dict[str, Any]) -> int:
        """Have a server process started; returns its id at once, before it listens."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return int(self._answer())

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode().strip()


def _sources() -> list[str]:
    """Where this process has the ledger from: a copy of the tree with a planted bug must not meet the original."""
    return [str(Path(ledger.__file__).parents[1])]


def _child(order: dict[str, Any]) -> None:
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGUSR1, show_tasks)
    try:
        serve(order)
    except BaseException as error:  # noqa: BLE001 - the process ends here, and its log says why
        print(f"child_ended {error!r}", flush=True)  # noqa: T201 - into its log
        os._exit(1)
    os._exit(0)


def _main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are buried at once
    print("ready", flush=True)  # noqa: T201 - the protocol
    children = []
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _child(json.loads(line))
        children.append(pid)
        print(pid, flush=True)  # noqa: T201 - the protocol
    for pid in children:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    _main()
