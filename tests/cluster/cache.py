"""What is costly is built once: `${XDG_CACHE_HOME:-~/.cache}/irsa`, one name for each version.

A thing is built under a lock (two test runs may want it at once), beside its place, and renamed into it when it is
whole: what stands under its name is complete, and an interrupted build leaves nothing but a name with a dot.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.cluster.progress import say


def root() -> Path:
    """The cache's folder; made where it is missing."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(home) / "irsa"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def digest(*parts: bytes | str | Path) -> str:
    """Twelve hexadecimal digits that change with any part; a path counts by its content."""
    state = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        state.update(len(content).to_bytes(8, "big") + content)
    return state.hexdigest()[:12]


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold the cache's lock `name`; says so where another process has it."""
    path = root() / "locks" / name
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that holds {path}")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def built(name: str, build: Callable[[Path], None]) -> Path:
    """The file or folder `name` of the cache, made by `build(path)` the first time; `path` is a free name beside it."""
    place = root() / name
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with lock(name.replace("/", "-")):
        if not place.exists():
            with scratch(place.parent) as folder:
                build(folder / place.name)
                (folder / place.name).rename(place)
    return place


@contextlib.contextmanager
def scratch(parent: Path | None = None) -> Iterator[Path]:
    """A folder that is gone afterwards, in the cache, so that a rename out of it stays on one file system."""
    folder = Path(tempfile.mkdtemp(prefix=".new-", dir=parent or root()))
    try:
        yield folder
    finally:
        # What debootstrap leaves mounted there must not be emptied.
        for mounted in sorted(_mounts_below(folder), reverse=True):
            subprocess.run(["umount", "--lazy", mounted], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _mounts_below(folder: Path) -> list[str]:
    places = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return [place for place in places if place.startswith(f"{folder}/")]
