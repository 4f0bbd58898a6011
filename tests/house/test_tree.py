"""What every file of the tree keeps to. The rules are proven able to fail by planted lines."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES_MAX = 400
CODE = {".py", ".sql"}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}

# A path that exists on one person's machine only. The lookbehind leaves URLs and paths inside others alone.
MACHINE_PATH = re.compile(r"(?<![\w.}/~<-])/(?:root|work|Users|home/[a-z]\w*)(?:/|\b)")
HOST_IN_LOCK = re.compile(r"://|\b[\w-]+\.(?:org|com|io|net|dev)\b")


def tracked() -> list[Path]:
    """The files git would commit; outside a checkout (an archive of it), every file that is not hidden."""
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    inside = [path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file()]
    return [ROOT / path for path in inside if not any(part.startswith(".") for part in path.parts)]


def text_of(path: Path) -> str:
    """The file as text; a binary one is nothing."""
    content = path.read_bytes()
    return "" if b"\0" in content else content.decode()


def lines_matching(pattern: re.Pattern[str], text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if pattern.search(line)]


def test_no_file_of_code_is_longer_than_400_lines():
    long = {str(path.relative_to(ROOT)): len(text_of(path).splitlines()) for path in tracked() if path.suffix in CODE}
    too_long = {name: lines for name, lines in long.items() if lines > LINES_MAX}
    assert not too_long, f"split by what belongs together: {too_long}"


def test_no_machine_path_stands_in_the_tree():
    found = {str(path.relative_to(ROOT)): lines_matching(MACHINE_PATH, text_of(path)) for path in tracked()}
    assert not {name: lines for name, lines in found.items() if lines}


def test_no_lock_names_a_registry():
    locks = sorted((ROOT / "requirements").glob("*.lock"))
    assert locks
    for lock in locks:
        assert not lines_matching(HOST_IN_LOCK, lock.read_text()), f"{lock.name}: resolve with `make lock`"


def test_every_requirement_is_pinned_and_hashed():
    for lock in (ROOT / "requirements").glob("*.lock"):
        entries = re.split(r"\n(?=\S)", re.sub(r"(?m)^\s*#.*\n", "", lock.read_text()).strip())
        assert entries
        for entry in entries:
            assert re.match(r"[\w.-]+==\S+", entry), entry
            assert "--hash=sha256:" in entry, entry


def test_no_module_has_a_name_that_says_nothing():
    vague = [str(path.relative_to(ROOT)) for path in tracked() if path.stem in VAGUE_NAMES and path.suffix == ".py"]
    assert not vague, f"name it after what it is about: {vague}"


@pytest.mark.parametrize(
    "planted",
    ["x = '/" + "root/a'", "cd /" + "work/main", "see /" + "home/ann/data", "(/" + "Users/ann)", '"/' + 'root"'],
)
def test_a_planted_machine_path_is_seen(planted):
    assert lines_matching(MACHINE_PATH, planted)


@pytest.mark.parametrize(
    "innocent", ["https://example.org/work/x", "./work/", "src/root/x.py", "/home", "a home (0700)"]
)
def test_an_innocent_path_is_not(innocent):
    assert not lines_matching(MACHINE_PATH, innocent)


@pytest.mark.parametrize("planted", ["--index-url https://example.org/simple", "# from files.example.com"])
def test_a_planted_registry_is_seen(planted):
    assert lines_matching(HOST_IN_LOCK, planted)
