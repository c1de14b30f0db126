"""From a recipe to a root file system: mmdebstrap for packages, Maven for artifacts.

Both are asked as this machine is set up for them (mirrors, proxies, keys): no host is
named here. The result is streamed as a tar archive and unpacked as the calling user, so
that an image made without root can be read and removed without root as well.
"""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from brokers.image.recipe import Artifact, ImageError, Recipe
from brokers.places import sandbox

SOURCE_DATE_EPOCH = "1735689600"
"""Any fixed time: tools that honour it write it instead of now."""
UNWANTED = ("/usr/share/man/?*/?*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/doc/*")
"""Folders of manual sections stay: the post-installation of Java links into them."""
TOOLS = {"mmdebstrap": "mmdebstrap", "tar": "tar", "mvn": "maven"}
"""Programs, and the packages they come from."""
AS_OURSELVES = ("--no-same-owner", "--preserve-permissions")
"""Of tar: files belong to the caller, with the modes of the archive whatever the umask."""
END_TIMEOUT_S = 30.0
QUOTED_LINES = 15

Say = Callable[[str], None]
Builder = Callable[[Recipe, Path, int, Say], None]
"""Fills an empty folder with the root file system of a recipe; the number is a file
descriptor that every process it starts must inherit (the lock)."""


def bootstrap_command(recipe: Recipe) -> tuple[str, ...]:
    """Return the mmdebstrap command that writes the packages as a tar archive to its output. Pure."""
    exclusions = [f"--dpkgopt=path-exclude={path}" for path in UNWANTED]
    validity = [] if recipe.check_valid_until else ['--aptopt=Acquire::Check-Valid-Until "false"']
    return (
        "mmdebstrap",
        "--variant=minbase",
        "--format=tar",
        f"--include={','.join(recipe.packages)}",
        *exclusions,
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        *validity,
        recipe.suite,
        "-",
    )


def build(recipe: Recipe, root: Path, lock: int, say: Say) -> None:
    """Fill an empty folder with the packages and artifacts of a recipe.

    Raises:
        ImageError: a tool is missing or failed, or an artifact is not the one expected.
    """
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if missing:
        message = f"building an image needs {', '.join(missing)}: apt-get install {' '.join(missing)}"
        raise ImageError(message)
    say(f"installing {', '.join(recipe.packages)} from Debian {recipe.suite}")
    _bootstrap(recipe, root, lock)
    for artifact in recipe.maven:
        say(f"adding {artifact.identity} {artifact.version}")
        _add(artifact, root, lock)


def _bootstrap(recipe: Recipe, root: Path, lock: int) -> None:
    unpack = ("tar", "--extract", f"--directory={root}", *AS_OURSELVES, "--exclude=./dev/*")
    environment = {**os.environ, "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH}
    with tempfile.TemporaryFile() as words:
        maker = subprocess.Popen(
            bootstrap_command(recipe),
            stdout=subprocess.PIPE,
            stderr=words,
            stdin=subprocess.DEVNULL,
            env=environment,
            pass_fds=(lock,),
            start_new_session=True,
        )
        with _ending(maker):
            unpacked = subprocess.run(unpack, stdin=maker.stdout, stderr=subprocess.PIPE, pass_fds=(lock,), check=False)
            if maker.stdout is not None:
                maker.stdout.close()
            made = maker.wait()
        if made != 0:
            words.seek(0)
            raise ImageError(_failure("mmdebstrap", made, words.read()) + _forbidden())
    if unpacked.returncode != 0:
        raise ImageError(_failure("tar", unpacked.returncode, unpacked.stderr))


@contextlib.contextmanager
def _ending(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Let a process clean up after itself (mounts, temporary folders) when we are interrupted."""
    try:
        yield
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _add(artifact: Artifact, root: Path, lock: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fetch = (
            "mvn",
            "--quiet",
            "--batch-mode",
            "dependency:copy",
            f"-Dartifact={artifact.artifact}",
            f"-DoutputDirectory={folder}",
        )
        _run(fetch, Path(folder), lock)
        archive = Path(folder) / artifact.file_name
        check(artifact, archive)
        target = root / artifact.folder.lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        _run(("tar", "--extract", "--gzip", f"--file={archive}", f"--directory={target}", *AS_OURSELVES), root, lock)


def check(artifact: Artifact, archive: Path) -> None:
    """Compare an archive with the recipe's checksum.

    Raises:
        ImageError: it is missing or another one.
    """
    if not archive.is_file():
        message = f"Maven brought no {archive.name} for {artifact.artifact}"
        raise ImageError(message)
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != artifact.sha256:
        message = (
            f"{artifact.artifact} is not the expected file: its SHA-256 is {found}, the recipe says"
            f" {artifact.sha256}. Delete it from Maven's local repository and try again"
        )
        raise ImageError(message)


def _run(command: tuple[str, ...], folder: Path, lock: int) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(lock,),
        check=False,
    )
    if done.returncode != 0:
        raise ImageError(_failure(command[0], done.returncode, done.stdout))


def _forbidden() -> str:
    """Return that namespaces are forbidden to this user, where they are: without them packages cannot be unpacked."""
    bwrap = shutil.which("bwrap")
    reason = None if os.geteuid() == 0 or bwrap is None else sandbox.refusal(bwrap)
    return "" if reason is None else f"\nuser namespaces are forbidden here ({reason}): {sandbox.remedy()}"


def _failure(tool: str, code: int, words: bytes) -> str:
    lines = [line for line in words.decode(errors="replace").splitlines() if line.strip()][-QUOTED_LINES:]
    quoted = "\n  ".join(lines) or "nothing"
    return (
        f"the image cannot be built: {tool} ended with exit code {code}. Check the network, apt's and Maven's"
        f" set-up, and the free disk space. It said:\n  {quoted}"
    )
