"""A layer as bitbake's own parser reads it, and every fault that is found in it without a build.

Classes of other layers are empty files here, one for each that `yocto_known.toml` lists: what bitbake
reads is the layer alone. So it is proved that the files are good bitbake, that all they name is there or known, and
that they agree with the image. That the layer builds is not proved.
"""

import logging
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from brokers.image.recipe import Recipe
from brokers.image.yocto import carried

# The package `bitbake-setup` has the parser, and not these, which ask servers for hashes of finished work.
for _name in ("hashserv", "hashserv.client"):
    sys.modules.setdefault(_name, ModuleType(_name))
sys.modules["hashserv"].client = sys.modules["hashserv.client"]  # type: ignore[attr-defined]

# Its import makes a class of its own that of every logger to come.
_class_of_loggers = logging.getLoggerClass()

import bb.data  # noqa: E402
import bb.fetch2  # noqa: E402
import bb.parse  # noqa: E402

logging.setLoggerClass(_class_of_loggers)

KNOWN: dict[str, Any] = tomllib.loads((Path(__file__).parent / "yocto_known.toml").read_text())
OURS: dict[str, Any] = {
    "license": "Apache-2.0",
    "texts": {f"{KNOWN['variables']['COMMON_LICENSE_DIR']}/Apache-2.0": KNOWN["licenses"]["Apache-2.0"]},
}
"""What `archives` says of others, of what is in the layer itself."""
NAMING = {
    "PN": "${@bb.parse.vars_from_file(d.getVar('FILE', False), d)[0]}",
    "PV": "${@bb.parse.vars_from_file(d.getVar('FILE', False), d)[1] or '1.0'}",
    "BPN": "${PN}",
    "BP": "${BPN}-${PV}",
    "PACKAGES": "${PN}",
    "OVERRIDES": "pn-${PN}",
}
"""How bitbake.conf names a recipe by its file."""
_UNKNOWN = re.compile(r"\$\{([A-Za-z_]\w*)\}")
_INSTALLED = re.compile(r"\$\{S\}/([\w.-]+)")
_DEPENDENCIES = ("DEPENDS", "RDEPENDS", "RRECOMMENDS", "IMAGE_INSTALL")


def faults(layer: Path, image: Recipe, work: Path) -> list[str]:
    """Return everything that is wrong with a layer.

    Args:
        layer: its folder.
        image: the recipe of the image with which it must agree.
        work: an empty folder, for the classes of others.
    """
    (work / "classes").mkdir()
    for name in ("base", *KNOWN["classes"]):
        (work / "classes" / f"{name}.bbclass").touch()
    known = bb.data.init()
    known.setVar("BBPATH", str(work))
    known.setVar("TOPDIR", str(work))
    known.setVar("LAYERDIR", str(layer))
    try:
        known = bb.parse.handle(str(layer / "conf/layer.conf"), known, include=True)
    except bb.parse.ParseError as error:
        return [str(error)]
    known.expandVarref("LAYERDIR")
    for name, value in (NAMING | KNOWN["variables"]).items():
        known.setVar(name, value)
    known.setVar("__bbclasstype", "recipe")
    bb.parse.init_parser(known)

    found = [*_of_layer(layer, known)]
    recipes: dict[Path, Any] = {}
    for path in sorted(layer.rglob("*.bb")):
        try:
            recipes[path] = bb.parse.handle(str(path), known.createCopy())[""]
        except bb.parse.ParseError as error:
            found.append(str(error))
    provided = {package for data in recipes.values() for package in _words(data, "PACKAGES")}
    for path, data in recipes.items():
        found += [f"{path.name}: {fault}" for fault in _of_recipe(path, data, provided | KNOWN["packages"].keys())]
    return [*found, *_beside_the_image(layer, image, recipes)]


def _words(data: Any, name: str) -> list[str]:
    return (data.getVar(name) or "").split()


def _of_layer(layer: Path, data: Any) -> Iterator[str]:
    """Yield what is wrong with conf/layer.conf."""
    matched = {
        path for pattern in _words(data, "BBFILES") for path in layer.glob(str(Path(pattern).relative_to(layer)))
    }
    yield from (f"{path.name}: no pattern of BBFILES finds it" for path in set(layer.rglob("*.bb")) - matched)
    collections = _words(data, "BBFILE_COLLECTIONS")
    if len(collections) != 1:
        yield f"BBFILE_COLLECTIONS names {len(collections)} layers, not one"
    for name in collections:
        if not re.match(data.getVar(f"BBFILE_PATTERN_{name}") or "$.", f"{layer}/x"):
            yield f"BBFILE_PATTERN_{name} does not match the files of the layer"
        if not data.getVar(f"BBFILE_PRIORITY_{name}"):
            yield f"BBFILE_PRIORITY_{name} is missing"
        series = set(_words(data, f"LAYERSERIES_COMPAT_{name}"))
        if series != set(KNOWN["series"]):
            yield f"LAYERSERIES_COMPAT_{name} is {sorted(series)}, not {sorted(KNOWN['series'])}"
        needed = {known["in"].split()[0] for kind in ("classes", "packages") for known in KNOWN[kind].values()}
        depends = set(_words(data, f"LAYERDEPENDS_{name}"))
        if depends != needed or not depends <= KNOWN["layers"].keys():
            yield f"LAYERDEPENDS_{name} is {sorted(depends)}, not {sorted(needed)}"


def _of_recipe(path: Path, data: Any, packages: set[str]) -> Iterator[str]:
    """Yield what is wrong with one recipe; `packages` = all that may be installed."""
    for name in sorted(_own_names(path, data)):
        unknown = _UNKNOWN.findall(str(data.getVar(name)))
        yield from (f"{name} names ${{{one}}}, which is not in both series" for one in unknown)
    for kind in _DEPENDENCIES:
        for name in (kind, *(f"{kind}:{package}" for package in _words(data, "PACKAGES"))):
            yield from (f"{name}: package {one} is not known" for one in _words(data, name) if one not in packages)
    features = [one for one in _words(data, "IMAGE_FEATURES") if one not in KNOWN["features"]]
    yield from (f"IMAGE_FEATURES: {one} is not known" for one in features)
    local = [*_local(data)]
    yield from _of_files(path, data, local)
    if len(local) < len(_words(data, "SRC_URI")):
        if _checksum(data) not in KNOWN["archives"]:
            yield f"nobody has read the archive {_checksum(data)}: add its license to yocto_known.toml"
            return
        archive = KNOWN["archives"][_checksum(data)]
    else:
        archive = OURS
    yield from _of_installation(data, local, archive)
    yield from _of_license(data, archive)


def _own_names(path: Path, data: Any) -> set[str]:
    """Return what a recipe sets itself, variables and tasks: the rest is ours."""
    text = path.read_text()
    return {name for name in data.keys() if re.search(rf"^{re.escape(name.split(':')[0])}\b", text, re.MULTILINE)}  # noqa: SIM118


def _local(data: Any) -> Iterator[str]:
    """Yield the files of the layer itself that a recipe names."""
    for uri in _words(data, "SRC_URI"):
        kind, _, name, *_ = bb.fetch2.decodeurl(uri)
        if kind == "file":
            yield name


def _of_files(path: Path, data: Any, local: list[str]) -> Iterator[str]:
    """Yield which files of the layer are named and absent, or there and not named."""
    folders = [path.parent / folder for folder in (data.getVar("BP"), data.getVar("BPN"), "files")]
    yield from (f"SRC_URI: {name} is not there" for name in local if not any((one / name).is_file() for one in folders))
    there = {file.name for folder in folders if folder.is_dir() for file in folder.iterdir()}
    yield from (f"{name} is in no SRC_URI" for name in sorted(there - set(local)))
    for package in _words(data, "PACKAGES"):
        units = [unit for unit in _words(data, f"SYSTEMD_SERVICE:{package}") if unit not in local]
        yield from (f"SYSTEMD_SERVICE: {unit} is in no SRC_URI" for unit in units)


def _of_installation(data: Any, local: list[str], archive: dict[str, Any]) -> Iterator[str]:
    """Yield what a recipe installs that it does not fetch, or that does not lie in S."""
    yield from (
        f"SRC_URI: {uri.partition(';')[0]} is not unpacked to S"
        for uri in _words(data, "SRC_URI")
        if bb.fetch2.decodeurl(uri)[-1].get("subdir") != data.getVar("BP")
    )
    there = {*local, *(text.partition("/")[0] for text in archive["texts"])}
    taken = _INSTALLED.findall(data.getVar("do_install", expand=False) or "")
    yield from (f"do_install takes {name}, which is in no SRC_URI" for name in taken if name not in there)


def _checksum(data: Any) -> str | None:
    flags: dict[str, str] = data.getVarFlags("SRC_URI") or {}
    return flags.get("sha256sum")


def _of_license(data: Any, archive: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a recipe's license and the MD5 of its texts."""
    if data.getVar("LICENSE") != archive["license"]:
        yield f"LICENSE is {data.getVar('LICENSE')}, not {archive['license']}"
    texts = {}
    for uri in _words(data, "LIC_FILES_CHKSUM"):
        _, _, text, *_, options = bb.fetch2.decodeurl(uri)
        texts[text] = options.get("md5")
    # Where nothing is fetched bitbake asks for none.
    right = archive["texts"] if data.getVar("SRC_URI") else {}
    if texts != right:
        yield f"LIC_FILES_CHKSUM is {texts}, not {right}"


def _beside_the_image(layer: Path, image: Recipe, recipes: dict[Path, Any]) -> Iterator[str]:
    """Yield where a layer carries something else than the image does."""
    artifacts = carried(image, layer)
    if not artifacts:
        yield "no recipe fetches an artifact of the image"
    for path, data in recipes.items():
        remote = [uri for uri in _words(data, "SRC_URI") if not uri.startswith("file://")]
        artifact = artifacts.get(path)
        if artifact is None:
            yield from (f"{path.name}: {uri} is in no recipe of the image" for uri in remote)
            continue
        for name, found, wanted in (
            ("version", data.getVar("PV"), artifact.version),
            ("SHA-256", _checksum(data), artifact.sha256),
        ):
            if found != wanted:
                yield f"{path.name}: {name} is {found}, and {wanted} in the image: run `python -m brokers.image.yocto`"
    runtimes = {one.removesuffix("-headless") for one in image.packages if one.startswith("openjdk-")}
    named = {one for data in recipes.values() for one in _words(data, f"RDEPENDS:{data.getVar('PN')}")}
    if runtimes != {one for one in named if one.startswith("openjdk-")}:
        yield f"Java is not {', '.join(runtimes)} as in the image"
