"""Debian packages without installing any: downloaded by apt with lists of its own, unpacked into the cache.

So no daemon of the distribution starts, nobody has to be asked, and the machine is as it was when the cache is gone.
Mirror, suite and keys are those that the machine's own apt uses.
"""

import os
import shutil
from pathlib import Path

from tests.cluster import cache
from tests.cluster.problems import UnavailableError
from tests.cluster.progress import step
from tests.cluster.shell import run

# A Docker daemon and what makes a root file system; apt adds the libraries that this machine lacks.
TOOLS = ("docker.io", "containerd", "runc", "iptables", "debootstrap")

# What no container reads: half the size of a minimal system.
SUPERFLUOUS = ("var/cache/apt", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man", "usr/share/locale")


def require() -> None:
    """See that this machine can do what is below.

    Raises:
        UnavailableError: it is no Debian, or we are not root.
    """
    missing = [tool for tool in ("apt-get", "dpkg", "dpkg-deb", "wget") if not shutil.which(tool)]
    if missing:
        raise UnavailableError(
            f"{', '.join(missing)} missing: only Debian and its kin can make a node image themselves"
        )
    if os.geteuid():
        raise UnavailableError("making a node image and running a Docker daemon need root: run it as root (sudo -E)")


def release() -> str:
    """The distribution's code name, such as `bookworm`."""
    lines = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    name = lines.get("VERSION_CODENAME", "").strip('"')
    if not name:
        raise UnavailableError("/etc/os-release has no VERSION_CODENAME: only a release of Debian or Ubuntu will do")
    return name


def architecture() -> str:
    """Debian's name of this machine's architecture."""
    return run("dpkg", "--print-architecture").strip()


def tools() -> Path:
    """A folder with `TOOLS` and what they need unpacked in it; `environment` makes them run from there."""
    require()
    return cache.built(f"debian/tools-{release()}-{cache.digest(' '.join(TOOLS))}", _unpack_tools)


def environment(folder: Path) -> dict[str, str]:
    """Variables by which programs unpacked into `folder` find each other, their libraries and their data."""
    libraries = [str(path) for path in sorted((folder / "usr/lib").glob("*-linux-gnu*"))]
    variables = {
        "PATH": f"{folder}/bin:{folder}/usr/sbin:{folder}/usr/bin:{folder}/sbin:{os.environ['PATH']}:/usr/sbin:/sbin",
        "DEBOOTSTRAP_DIR": f"{folder}/usr/share/debootstrap",
    }
    if libraries:
        inherited = os.environ.get("LD_LIBRARY_PATH")
        variables["LD_LIBRARY_PATH"] = ":".join([*libraries, *([inherited] if inherited else [])])
    plugins = sorted((folder / "usr/lib").glob("*-linux-gnu*/xtables"))
    if plugins:
        variables["XTABLES_LIBDIR"] = str(plugins[0])
    return variables


def root_file_system(name: str, packages: tuple[str, ...]) -> Path:
    """A tar archive of a minimal system with `packages`, made by debootstrap; cached under its release and packages."""
    suite = release()
    folder = tools()

    def make(place: Path) -> None:
        with step(f"making a {suite} root file system for the {name}"):
            target = place.parent / "root"
            downloads = cache.root() / "debian" / f"packages-{suite}"
            downloads.mkdir(parents=True, exist_ok=True)
            options = ["--variant=minbase", f"--include={','.join(packages)}", f"--cache-dir={downloads}"]
            command = shutil.which("debootstrap", path=environment(folder)["PATH"]) or "debootstrap"
            variables = {**environment(folder), "DEBIAN_FRONTEND": "noninteractive", **_proxy()}
            run(command, *options, suite, target, mirror(suite), env=variables, seconds=1800)
            excluded = [f"--exclude=./{superfluous}/*" for superfluous in SUPERFLUOUS]
            run("tar", "-C", target, "--numeric-owner", "--one-file-system", *excluded, "-cf", place, ".", seconds=600)

    digest = cache.digest(" ".join((*packages, *SUPERFLUOUS)))
    return cache.built(f"debian/{name.replace(' ', '-')}-{suite}-{architecture()}-{digest}.tar", make)


def mirror(suite: str) -> str:
    """The address from which this machine's apt takes `suite`.

    Raises:
        UnavailableError: its sources do not name the suite.
    """
    targets = run("apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)", "Created-By: Packages")
    for line in targets.splitlines():
        site, of, component = line.split()
        if (of, component) == (suite, "main"):
            return site
    raise UnavailableError(f"apt's sources (/etc/apt/sources.list.d) have no {suite} main")


def _proxy() -> dict[str, str]:
    # debootstrap fetches with wget, which knows nothing of apt's configuration.
    value = run("apt-config", "shell", "PROXY", "Acquire::http::Proxy").strip().partition("=")[2].strip("'")
    return {"http_proxy": value} if value and value != "DIRECT" else {}


def _unpack_tools(place: Path) -> None:
    with step(f"fetching {', '.join(TOOLS)} from Debian's archive (unpacked into the cache, not installed)"):
        place.mkdir()
        for package in _download(place.parent / "apt", TOOLS):
            run("dpkg-deb", "-x", package, place)
        # Elsewhere the package's scripts make these links.
        (place / "bin").mkdir(exist_ok=True)
        for name in ("iptables", "ip6tables"):
            for suffix in ("", "-save", "-restore"):
                if (place / "usr/sbin/xtables-nft-multi").exists():
                    (place / "bin" / f"{name}{suffix}").symlink_to("../usr/sbin/xtables-nft-multi")


def _download(folder: Path, packages: tuple[str, ...]) -> list[Path]:
    """The packages, and those of their dependencies that are not installed."""
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    options = {
        "Dir::State::lists": str(folder / "lists"),
        "Dir::Cache::archives": str(folder / "archives"),
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Debug::NoLocking": "true",
        "APT::Sandbox::User": "root",  # the cache is in a home that apt's own user cannot enter
    }
    apt = ["apt-get", "-q", "-y", *(part for name, value in options.items() for part in ("-o", f"{name}={value}"))]
    run(*apt, "update", seconds=300)
    # Installed ones would be left out, though what is installed may be gone by the next run.
    run(*apt, "install", "--reinstall", "--no-install-recommends", "--download-only", *packages, seconds=900)
    return sorted((folder / "archives").glob("*.deb"))
