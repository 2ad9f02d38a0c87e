"""One process on one data folder: two relays would send everything twice, and a restore must have it to itself."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = "relay.lock"


class StartError(Exception):
    """The program cannot start; the text is one line that says why and what to do."""


@contextmanager
def alone_on(folder: Path) -> Iterator[None]:
    """Hold `folder`; the system lets go of it however the process ends. Raises StartError when another holds it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StartError(f"DATA_DIR: {folder} cannot be written: {error.strerror}; name another folder") from error
    try:
        _take(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 20).decode("ascii", "replace").strip() or "unknown"
        raise StartError(f"a relay is running on {folder} (process {holder}): stop it first") from None
    except OSError as error:
        raise StartError(f"DATA_DIR: {folder} cannot be locked: {error.strerror}; name a local folder") from error
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
