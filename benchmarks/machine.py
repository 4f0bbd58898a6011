"""What it ran on: machine, versions, and how busy others keep it."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psutil

from benchmarks import wrk
from benchmarks.cluster import Cluster

PACKAGES = ("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "pydantic", "orjson", "asyncpg", "eventsourcing")
DURABLE = ("fsync", "full_page_writes", "synchronous_commit", "shared_buffers", "max_wal_size", "wal_compression")


def described(cluster: Cluster) -> dict[str, str]:
    """Machine, versions and settings, by name."""
    memory = psutil.virtual_memory().total / 2**30
    settings = cluster.settings("server_version", *DURABLE)
    postgresql = settings.pop("server_version")
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {_system()}",
        "Python": platform.python_version(),
        "PostgreSQL": f"{postgresql} ({', '.join(f'{name} {value}' for name, value in settings.items())})",
        "packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "load generator": wrk.version(),
    }


def busy_cores() -> float:
    """How many cores are busy now, while nothing is measured: with others' work. Ratios stand that, figures do not."""
    return psutil.cpu_percent(interval=1.0) / 100 * (os.cpu_count() or 1)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.platform()
