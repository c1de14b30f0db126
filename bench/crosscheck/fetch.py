"""Bringing peers into the user's cache, once, by Maven as this machine is set up for it.

```
$XDG_CACHE_HOME/busbench/peers/<artifact>-<version>/   renamed into place when whole
```
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.crosscheck.peer import Peer
from bench.host.cache import cache_root

_TOOLS = {"java": "default-jdk-headless", "mvn": "maven"}
_QUOTED = 12
_PROJECT = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>busbench</groupId><artifactId>peer</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>
  </dependencies>
</project>
"""


class FetchError(Exception):
    """A peer cannot be had on this machine; says what is missing."""


def ensure(peer: Peer, say: Callable[[str], None], cache: Path | None = None) -> Path:
    """Return the folder of a peer, fetched where it is missing.

    Args:
        peer: which.
        say: takes a line of progress.
        cache: folder of peers; by default the user's.

    Raises:
        FetchError: Java or Maven is missing, or Maven could not bring it.
    """
    _, artifact, version, *packed = peer.artifact.split(":")
    place = (cache or cache_root() / "peers") / f"{artifact}-{version}"
    there = place.is_dir()
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None and not (tool == "mvn" and there)]
    if missing:
        packages = " ".join(_TOOLS[tool] for tool in missing)
        message = f"{peer.name} needs {' and '.join(missing)}: apt-get install {packages}"
        raise FetchError(message)
    if there:
        return place
    say(f"fetching {peer.name} {peer.version} with Maven")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{place.name}.", dir=place.parent) as building:
            made = (_unpacked if packed else _with_dependencies)(peer.artifact, Path(building))
            try:
                made.rename(place)
            except OSError:
                if not place.is_dir():  # another process may have been quicker; its folder is as good
                    raise
    except OSError as error:
        message = f"{peer.name} cannot be kept in {place.parent}: {error}"
        raise FetchError(message) from error
    return place


def _with_dependencies(artifact: str, building: Path) -> Path:
    """Copy a jar and all that it needs at run time into one folder."""
    project, made = building / "pom.xml", building / "made"
    project.write_text(_PROJECT.format(*artifact.split(":")), encoding="utf-8")
    wanted = ("-DincludeScope=runtime", f"-DoutputDirectory={made}")
    _run("mvn", "--quiet", "--batch-mode", "--strict-checksums", f"--file={project}",
         "dependency:copy-dependencies", *wanted)  # fmt: skip
    return made


def _unpacked(artifact: str, building: Path) -> Path:
    """Copy an archive and unpack it; return the one folder in it."""
    archives, made = building / "archives", building / "made"
    made.mkdir()
    _run("mvn", "--quiet", "--batch-mode", "--strict-checksums", "dependency:copy",
         f"-Dartifact={artifact}", f"-DoutputDirectory={archives}")  # fmt: skip
    (archive,) = archives.iterdir()
    _run("tar", "--extract", "--gzip", f"--file={archive}", f"--directory={made}", "--no-same-owner")
    (inside,) = made.iterdir()
    return inside


def _run(*command: str) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode != 0:
        lines = [line for line in done.stdout.decode(errors="replace").splitlines() if line.strip()][-_QUOTED:]
        quoted = "\n  ".join(lines) or "nothing"
        message = (
            f"{command[0]} ended with exit code {done.returncode}: check the network, Maven's set-up"
            f" and the free disk space. It said:\n  {quoted}"
        )
        raise FetchError(message)
