"""The one file that a backup is: a tar of the database, the signing key and the alliance file, with a manifest first.

Whoever restores one may have it from anywhere: names, sizes and checksums are held against the manifest, and nothing
is written outside the folder that was asked for.
"""

import hashlib
import io
import json
import os
import re
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from storage.copying import BackupError

FORMAT = 1
MANIFEST = "manifest.json"
SQLITE, POSTGRES = "relay.sqlite", "relay.pgdump"
KEY, ALLIANCE = "secret.key", "alliance.toml"
NEWEST = "newest-backup"
"""File in DATA_DIR that names it."""
_MEMBERS = {SQLITE, POSTGRES, KEY, ALLIANCE}
_LONGEST_MANIFEST = 64 << 10
_PIECE = 1 << 20


@dataclass(frozen=True)
class Member:
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    format: int
    made: str
    """UTC, as 2026-11-23T12:00:00Z: the moment before which everything committed is in it."""
    database: str
    """The member that holds it: SQLITE or POSTGRES."""
    revision: str
    incidents: int
    posts: int
    members: dict[str, Member]

    @property
    def moment(self) -> datetime:
        return datetime.fromisoformat(self.made)


def member(path: Path) -> Member:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as source:
        while piece := source.read(_PIECE):
            digest.update(piece)
            size += len(piece)
    return Member(size, digest.hexdigest())


def pack(target: Path, folder: Path, manifest: Manifest) -> None:
    """Write the members, which lie in `folder`, to the new file `target`, readable by its owner alone, and sync it."""
    told = json.dumps(asdict(manifest), indent=1).encode()
    with os.fdopen(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
        with tarfile.open(fileobj=written, mode="w:gz", compresslevel=6) as tar:
            tar.addfile(_header(MANIFEST, len(told), manifest), io.BytesIO(told))
            for name, each in manifest.members.items():
                with (folder / name).open("rb") as source:
                    tar.addfile(_header(name, each.size, manifest), source)
        written.flush()
        os.fsync(written.fileno())


def _header(name: str, size: int, manifest: Manifest) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, 0o600
    header.mtime = int(datetime.fromisoformat(manifest.made).timestamp())
    return header


def unpack(path: Path, folder: Path | None) -> Manifest:
    """Read the whole backup and check it; its members come to lie in `folder`, if one is given. Raises BackupError."""
    with _trouble(path), tarfile.open(path, "r:gz") as tar:
        manifest = _manifest(tar)
        found = set()
        while (header := tar.next()) is not None:
            name = header.name
            if name not in manifest.members or name in found or not header.isreg():
                raise BackupError(f"{path.name} holds {name[:60]!r}, which is in no backup: it was not restored")
            found.add(name)
            wanted = manifest.members[name]
            if header.size != wanted.size or _digest(tar, header, folder) != wanted.sha256:
                raise BackupError(f"{path.name} is damaged: {name} is not what was backed up; take another backup")
        if missing := sorted(manifest.members.keys() - found):
            raise BackupError(f"{path.name} is damaged: {', '.join(missing)} is missing; take another backup")
    return manifest


def remember(data: Path, target: Path) -> None:
    """Note in DATA_DIR where the newest backup is, for the day on which it is needed."""
    with suppress(OSError):
        (data / NEWEST).write_text(f"{target}\n", "utf-8")


def newest(data: Path) -> Path | None:
    """The newest backup of the relay in DATA_DIR `data` that can be seen: noted there, or lying about."""
    try:
        noted = [Path((data / NEWEST).read_text("utf-8").strip())]
    except (OSError, ValueError):
        noted = []
    near = {each for folder in (data, data.parent, Path.cwd()) for each in folder.glob("relay-backup-*.tar.gz")}
    # Their names say when they were made.
    found = [*noted, *sorted(near, key=lambda each: each.name, reverse=True)]
    return next((each for each in found if is_backup(each)), None)


def is_backup(path: Path) -> bool:
    """Whether the file begins as a backup does."""
    try:
        with _trouble(path), tarfile.open(path, "r:gz") as tar:
            _manifest(tar)
    except BackupError:
        return False
    return True


def _manifest(tar: tarfile.TarFile) -> Manifest:
    header = tar.next()
    if header is None or header.name != MANIFEST or not header.isreg() or header.size > _LONGEST_MANIFEST:
        raise ValueError("it does not begin with a manifest")
    told = json.loads(_opened(tar, header).read())
    if told["format"] != FORMAT:
        raise BackupError(
            f"the backup has format {told['format']!s:.20}, this program reads {FORMAT}: update the program"
        )
    members = {str(name): Member(int(each["size"]), str(each["sha256"])) for name, each in told["members"].items()}
    manifest = Manifest(
        FORMAT,
        str(told["made"]),
        str(told["database"]),
        str(told["revision"]),
        int(told["incidents"]),
        int(told["posts"]),
        members,
    )
    if not members.keys() <= _MEMBERS or manifest.database not in members.keys() & {SQLITE, POSTGRES}:
        raise ValueError("its manifest names what is in no backup")
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", manifest.made) or not re.fullmatch(
        r"\w{0,40}", manifest.revision
    ):
        raise ValueError("its manifest makes no sense")
    return manifest


def _digest(tar: tarfile.TarFile, header: tarfile.TarInfo, folder: Path | None) -> str:
    digest, source = hashlib.sha256(), _opened(tar, header)
    if folder is None:
        while piece := source.read(_PIECE):
            digest.update(piece)
        return digest.hexdigest()
    # `header.name` is one of _MEMBERS: plain names, no path. A new file: nothing is followed, nothing overwritten.
    with os.fdopen(os.open(folder / header.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
        while piece := source.read(_PIECE):
            digest.update(piece)
            written.write(piece)
        written.flush()
        os.fsync(written.fileno())
    return digest.hexdigest()


def _opened(tar: tarfile.TarFile, header: tarfile.TarInfo) -> IO[bytes]:
    source = tar.extractfile(header)
    if source is None:
        raise ValueError("it holds what is no file")
    return source


@contextmanager
def _trouble(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise BackupError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise BackupError(f"{path} is a folder: name the backup in it") from None
    except PermissionError as error:
        raise BackupError(f"{error.filename or path}: {error.strerror}") from None
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            # The system's word about a disk, not about what is in the file.
            raise BackupError(f"{path.name} cannot be read or unpacked: {error.strerror}") from error
        told = " ".join(str(error).split())[:120] or type(error).__name__
        raise BackupError(f"{path.name} is no backup of the relay, or is damaged: {told}") from error
