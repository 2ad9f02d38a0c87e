"""A PostgreSQL of the tests' own: a fresh cluster on a loopback port, ended with the session."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.town import free_port


def binaries() -> Path | None:
    """Where PostgreSQL's programs are, or None when it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


def _as_postgres(*command: str) -> None:
    """PostgreSQL refuses to run as root; CI is root."""
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    done = subprocess.run([*prefix, *command], check=False, capture_output=True, cwd="/", text=True)
    assert done.returncode == 0, f"{command[0]}: {done.stdout} {done.stderr}"


@contextmanager
def cluster(home: Path) -> Iterator[str]:
    """The URL of an empty database."""
    programs = binaries()
    assert programs is not None, "PostgreSQL is not installed: .ci/run installs it"
    data, port = home / "pg", free_port()
    data.mkdir()
    if os.geteuid() == 0:
        shutil.chown(data, "postgres")
        for parent in (home, *home.parents):
            if parent == Path("/tmp") or parent == parent.parent:
                break
            parent.chmod(parent.stat().st_mode | 0o011)
    _as_postgres(f"{programs}/initdb", "-D", str(data), "-A", "trust", "-U", "relay", "--no-sync", "-E", "UTF8")
    options = f"-p {port} -h 127.0.0.1 -k {data} -c fsync=off"
    _as_postgres(f"{programs}/pg_ctl", "-D", str(data), "-o", options, "-l", f"{data}/log", "-w", "start")
    try:
        yield f"postgresql+asyncpg://relay@127.0.0.1:{port}/postgres"
    finally:
        _as_postgres(f"{programs}/pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
