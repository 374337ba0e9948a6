"""A container image out of files: one layer in a `docker save` archive, without a daemon.

The bytes depend on the files alone (no times, no owners), so the same files are the same image.
"""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping
from pathlib import Path

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write(place: Path, reference: str, entrypoint: list[str], files: Mapping[str, Path]) -> None:
    """Write an image to `place`.

    Args:
        place: the archive to write.
        reference: the image's name and tag.
        entrypoint: what a container of it runs.
        files: absolute path in the image -> file or folder (links stay links) on this machine; `/` for a whole root.
    """
    layer = place.with_suffix(".layer")
    _write_layer(layer, files)
    with layer.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    configuration = json.dumps(
        {
            "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "created": "2020-01-01T00:00:00Z",
            "config": {"Env": [PATH], "Entrypoint": entrypoint},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    name = f"{hashlib.sha256(configuration).hexdigest()}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": [reference], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(place, "w") as archive:
        for member, content in ((name, configuration), ("manifest.json", manifest)):
            information = tarfile.TarInfo(member)
            information.size = len(content)
            archive.addfile(information, io.BytesIO(content))
        archive.add(layer, "layer.tar", filter=_anonymous)
    layer.unlink()


def _write_layer(layer: Path, files: Mapping[str, Path]) -> None:
    with tarfile.open(layer, "w") as archive:
        temporary = tarfile.TarInfo("tmp")
        temporary.type, temporary.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(temporary)
        for inside, path in files.items():
            archive.add(path, inside.lstrip("/") or ".", filter=_anonymous)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member
