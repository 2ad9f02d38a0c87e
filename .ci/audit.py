"""Audits what the locks pin: known vulnerabilities by pip-audit, withdrawn releases by the index itself.

pip-audit ends well, with "No known vulnerabilities found", when its source of advisories answered for none of the
packages. Here a package that could not be looked up is a failure. Only where the index offers no advisories at all (a
mirror of files alone) that half is left out, with a line that says so; the other half must then have been done whole.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")
CLEAN, BAD, NOTHING = 0, 1, 3


def advisories(lock: str) -> int:
    """Known vulnerabilities of what the lock pins. NOTHING: the source answered for no package."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "audit.json"
        command = [sys.executable, "-m", "pip_audit", "--requirement", lock, "--disable-pip", "--require-hashes"]
        done = subprocess.run(
            [*command, "--progress-spinner", "off", "--format", "json", "--output", str(told)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if not told.exists() or not told.read_text(encoding="utf-8").strip():
            print(f"{lock}: pip-audit gave no report: {' '.join(done.stderr.split())[-300:]}")
            return NOTHING
        packages = json.loads(told.read_text(encoding="utf-8"))["dependencies"]
    skipped = [each for each in packages if "skip_reason" in each]
    found = [(each, flaw) for each in packages for flaw in each.get("vulns", ())]
    for each, flaw in found:
        print(f"{lock}: {each['name']} {each['version']}: {flaw['id']}, mended in {flaw['fix_versions'] or 'nothing'}")
    if not packages or len(skipped) == len(packages):
        return NOTHING
    for each in skipped:
        print(f"{lock}: {each['name']} could not be audited: {each['skip_reason']}")
    print(f"{lock}: advisories read for {len(packages) - len(skipped)} of {len(packages)} packages, {len(found)} apply")
    return BAD if found or skipped else CLEAN


def withdrawn(lock: str) -> int:
    """Whether every release that the lock pins is on the index under its hash, and none was withdrawn (yanked)."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--no-deps"]
    done = subprocess.run(
        [*command, "--require-hashes", "--only-binary", ":all:", "--requirement", lock, "--report", "-"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        print(f"{lock}: the index could not be read: {' '.join(done.stderr.split())[-300:]}")
        return NOTHING
    packages = json.loads(done.stdout)["install"]
    bad = [each["metadata"] for each in packages if each["is_yanked"]]
    for each in bad:
        print(f"{lock}: {each['name']} {each['version']} was withdrawn by its authors")
    print(f"{lock}: {len(packages)} releases are on the index under their hashes, {len(bad)} withdrawn")
    return BAD if bad else CLEAN if packages else NOTHING


def main() -> int:
    known, there = [advisories(lock) for lock in LOCKS], [withdrawn(lock) for lock in LOCKS]
    if BAD in known + there:
        return BAD
    if NOTHING in there:
        print("audit: FAILED, nothing could be audited")
        return NOTHING
    if NOTHING in known:
        print("audit: NO ADVISORIES were read, the index offers none; only withdrawn releases were looked for")
    return CLEAN


if __name__ == "__main__":
    sys.exit(main())
