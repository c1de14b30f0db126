"""The layer for OpenEmbedded: bitbake's parser reads it, oelint-adv lints it, and it agrees with the image."""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from bench.scenario.loading import load_text
from brokers.image.recipe import Recipe, recipe
from brokers.image.yocto import LAYER, carried, update
from brokers.product import Site
from brokers.qpid_broker_j import config as qpid_config
from brokers.qpid_broker_j.settings import QpidBrokerJSettings
from brokers.rabbitmq import config as rabbitmq_config
from brokers.rabbitmq.settings import RabbitMQSettings
from brokers.settings import BrokerSettings
from tests.brokers.image.yocto_layer import KNOWN, faults

ROOT = Path(__file__).parents[3]
SETTINGS = LAYER / "recipes-core/cloud-services-settings/files"
UNIT = LAYER / "recipes-connectivity/qpid-broker-j/files/qpid-broker-j.service"
LIBRARY = PurePosixPath("/usr/share/qpid-broker-j/lib")
GUEST = Site(PurePosixPath("/var/lib/qpid-broker-j"), "0.0.0.0", {}, lambda _: LIBRARY, "@PASSWORD@")  # noqa: S104
"""A guest listens on its own network; the password is filled in at its first start."""


@pytest.fixture
def stable() -> Recipe:
    """The recipe of the image whose brokers the layer has."""
    return recipe("stable")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the layer, to be spoilt."""
    return Path(shutil.copytree(LAYER, tmp_path / "meta-busbench"))


def work(tmp_path: Path) -> Path:
    """Return an empty folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_the_layer_is_without_fault(stable: Recipe, tmp_path: Path) -> None:
    """Every recipe parses, and names only what is there or known."""
    assert faults(LAYER, stable, work(tmp_path)) == []


MUTATIONS = {
    "wrong checksum": ("*-broker-j_*.bb", 'sha256sum] = "', 'sha256sum] = "0', "SHA-256 is 0.*, and .* in the image"),
    "missing checksum": ("*-broker-j_*.bb", "SRC_URI[sha256sum]", "SRC_URI[md5sum]", "SHA-256 is None"),
    "another archive": ("*-broker-j_*.bb", "apache-qpid", "apache-artemis", "tar.gz.* is in no recipe of the image"),
    "missing file": ("*-broker-j_*.bb", "file://qpid", "file://qpidd", "SRC_URI: qpidd-broker-j.service is not there"),
    "unused file": (
        "*settings_*.bb",
        "    file://rabbitmq.conf;subdir=${BP} \\\n",
        "",
        "rabbitmq.conf is in no SRC_URI",
    ),
    "missing unit": ("*-broker-j_*.bb", '"qpid-broker-j.service', '"broker.service', "SYSTEMD_SERVICE: broker.service"),
    "beside S": ("*settings_*.bb", "initial.json;subdir=${BP}", "initial.json", "initial.json is not unpacked to S"),
    "unknown class": ("*-broker-j_*.bb", "inherit features_check", "inherit feature_check", "inherit .*feature_check"),
    "unknown package": ("packagegroup*.bb", "chronyc", "chrony-client", "RDEPENDS.*package chrony-client is not known"),
    "unknown package of the image": (
        "*image.bb",
        "packagegroup-core-boot",
        "core-boot",
        "IMAGE_INSTALL: package core-b",
    ),
    "unknown feature": ("*image.bb", "ssh-server-openssh", "ssh-server", "IMAGE_FEATURES: ssh-server is not known"),
    "variable of one series": (
        "*settings_*.bb",
        "${S}/initial",
        "${WORKDIR}/initial",
        r"do_install names \$\{WORKDIR\}",
    ),
    "wrong license": (
        "*-broker-j_*.bb",
        'LICENSE = "Apache',
        'LICENSE = "MIT-Apache',
        "LICENSE is MIT-Apache-2.0, not",
    ),
    "wrong license of ours": ("*image.bb", '"Apache-2.0"', '"MIT"', "LICENSE is MIT, not Apache-2.0"),
    "wrong license text": ("*-broker-j_*.bb", "md5=", "md5=0", "LIC_FILES_CHKSUM is .*: '0.*, not "),
    "no license text": ("*settings_*.bb", "LIC_FILES_CHKSUM", "LICENSE_FLAGS", r"LIC_FILES_CHKSUM is \{\}, not"),
    "another Java": ("*-broker-j_*.bb", "openjdk-21", "openjdk-8", "Java is not openjdk-21-jre as in the image"),
    "missing series": (
        "layer.conf",
        'LAYERSERIES_COMPAT_busbench = "wrynose scarthgap"',
        "",
        r"COMPAT_busbench is \[\]",
    ),
    "another series": ("layer.conf", "wrynose scarthgap", "wrynose", r"LAYERSERIES_COMPAT_busbench is \['wrynose'\]"),
    "unknown layer": (
        "layer.conf",
        "networking-layer erlang",
        "network-layer erlang",
        "LAYERDEPENDS_busbench is .*network-",
    ),
    "unseen recipe": ("layer.conf", "recipes-*/*/*.bb", "recipes-core/*/*.bb", "no pattern of BBFILES finds it"),
    "pattern": ("layer.conf", '"^${LAYERDIR}/"', '"^/none/"', "BBFILE_PATTERN_busbench does not match"),
    "no bitbake": ("*image.bb", "inherit core-image", "inherits core-image", "ParseError .*unparsed line"),
    "no bitbake in layer.conf": ("layer.conf", "BBPATH .=", "BBPATH .", "ParseError .*unparsed line"),
}
"""What is spoilt: the file, what stands there, what is put there, and the fault that must be told."""


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_spoilt_layer_is_seen(name: str, copied: Path, stable: Recipe, tmp_path: Path) -> None:
    """Each kind of mistake gives a fault that names it."""
    file, old, new, told = MUTATIONS[name]
    (path,) = copied.rglob(file)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    found = faults(copied, stable, work(tmp_path))
    assert any(re.search(told, fault) for fault in found), found


def test_an_absent_file_is_seen(copied: Path, stable: Recipe, tmp_path: Path) -> None:
    """A recipe names it as before."""
    (unit,) = copied.rglob("qpid-broker-j.service")
    unit.unlink()
    (fault,) = faults(copied, stable, work(tmp_path))
    assert fault.endswith("SRC_URI: qpid-broker-j.service is not there")


def test_a_newer_artifact_is_written_into_the_layer(copied: Path, stable: Recipe, tmp_path: Path) -> None:
    """Version and checksum; then all agrees but the license, which nobody has read yet."""
    (old,) = carried(stable, copied).values()
    later = old.model_copy(update={"artifact": old.artifact.replace(old.version, "11.0.0"), "sha256": "ab" * 32})
    newer = stable.model_copy(update={"maven": tuple(later if one == old else one for one in stable.maven)})
    (changed,) = update(newer, copied)
    assert changed.name == "qpid-broker-j_11.0.0.bb"
    assert f'SRC_URI[sha256sum] = "{"ab" * 32}"' in changed.read_text()
    assert [path.name for path in copied.rglob("*-broker-j_*.bb")] == [changed.name]
    assert update(newer, copied) == []
    (fault,) = faults(copied, newer, work(tmp_path))
    assert fault.startswith("qpid-broker-j_11.0.0.bb: nobody has read the archive")


def test_the_shipped_layer_needs_no_update(copied: Path, stable: Recipe) -> None:
    """`python -m brokers.image.yocto` would change nothing; and where it cannot tell what to write it says so."""
    assert update(stable, copied) == []
    (path,) = carried(stable, copied)
    path.write_text(path.read_text().replace("SRC_URI[sha256sum]", "SRC_URI[md5sum]"))
    with pytest.raises(ValueError, match=r"0 lines `SRC_URI\[sha256sum\]"):
        update(stable, copied)


def lint(layer: Path, series: str) -> list[str]:
    """Return the warnings and errors of oelint-adv; it would also suggest, and ask whether home pages answer."""
    files = [str(path) for path in sorted(layer.rglob("*.bb"))]
    command = [sys.executable, "-m", "oelint_adv", "--quiet", "--jobs=1", "--hide=info", f"--release={series}"]
    command += ["--suppress=oelint.vars.homepageping", *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    found = [line for line in done.stderr.splitlines() if "oelint." in line]
    assert (done.returncode == 0) == (found == []), done.stdout + done.stderr
    return found


@pytest.mark.parametrize("series", KNOWN["series"])
def test_a_linter_finds_nothing(series: str) -> None:
    """In either series."""
    assert lint(LAYER, series) == []


def test_a_linter_finds_what_is_old_fashioned(copied: Path) -> None:
    """So that it does not find nothing because it read nothing."""
    (path,) = copied.rglob("packagegroup*.bb")
    path.write_text(path.read_text().replace("RDEPENDS:${PN}", "RDEPENDS_${PN}"))
    assert any("oelint.vars." in line for line in lint(copied, "scarthgap"))


def test_the_guest_has_the_settings_of_the_sandbox() -> None:
    """The files and the command line are those of the products, so that a guest is comparable."""
    rabbitmq = rabbitmq_config.config(
        RabbitMQSettings(name="rabbitmq", kind="rabbitmq"), replace(GUEST, ports={"amqp": 5672})
    )
    assert (SETTINGS / "rabbitmq.conf").read_text() == rabbitmq
    settings = QpidBrokerJSettings(name="qpid", kind="qpid-broker-j")
    site = replace(GUEST, ports={"amqp": 5673, "http": 8080})
    assert (SETTINGS / "initial.json").read_text() == qpid_config.initial(settings, site) + "\n"
    (line,) = re.findall(r"^ExecStart=((?:.*\\\n)*.*)", UNIT.read_text(), re.MULTILINE)
    assert tuple(shlex.split(line.replace("\\\n", " "))) == qpid_config.command(settings, site, LIBRARY)


def fill(root: Path) -> None:
    """Run the script of a guest's first start on a root file system of ours; groups are those of a guest."""
    programs = root / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "chgrp").write_text(f'#!/bin/sh\necho "$@" >>"{root}/groups"\n')
    (programs / "chgrp").chmod(0o755)
    environment = {"PATH": f"{programs}:{os.environ['PATH']}"}
    subprocess.run(["sh", SETTINGS / "cloud-services-settings", root], env=environment, check=True, timeout=10)


def test_a_guest_makes_its_own_password(tmp_path: Path) -> None:
    """Once; two guests have two. It stands in files that root, and each broker's group, may read."""
    passwords = []
    for name in ("one", "two"):
        root = tmp_path / name
        (root / "usr/share/cloud-services-settings").mkdir(parents=True)
        (root / "var/lib/qpid-broker-j").mkdir(parents=True)
        for file in ("rabbitmq.conf", "initial.json"):
            shutil.copy(SETTINGS / file, root / "usr/share/cloud-services-settings")
        fill(root)
        password = (root / "var/lib/cloud-services/password").read_text()
        fill(root)
        assert (root / "var/lib/cloud-services/password").read_text() == password
        assert re.fullmatch("[0-9a-f]{32}", password)
        passwords.append(password)
        conf, initial = root / "run/cloud-services/rabbitmq.conf", root / "var/lib/qpid-broker-j/initial.json"
        for path in (conf, initial):
            assert "@PASSWORD@" not in path.read_text()
            assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert f"default_pass = {password}\n" in conf.read_text()
        assert f'"password": "{password}"' in initial.read_text()
        assert stat.S_IMODE((root / "var/lib/cloud-services/password").stat().st_mode) == 0o600
        groups = (root / "groups").read_text().split()
        assert groups == ["rabbitmq", f"{conf}.new", "qpid", f"{initial}.new"] * 2
        assert sorted(path.name for path in conf.parent.iterdir()) == ["rabbitmq.conf"]
    assert len(set(passwords)) == 2


def test_units_and_paths_agree() -> None:
    """What one file names of another: the settings, the program that fills them, and who may read them."""
    (settings,) = LAYER.rglob("cloud-services-settings_*.bb")
    assert (
        "ExecStart=/usr/libexec/cloud-services-settings\n" in (SETTINGS / "cloud-services-settings.service").read_text()
    )
    assert "install -m 0755 ${S}/cloud-services-settings ${D}${libexecdir}/" in settings.read_text()
    drop_in = (SETTINGS / "rabbitmq-server.conf").read_text()
    assert "RABBITMQ_CONFIG_FILE=/run/cloud-services/rabbitmq.conf" in drop_in
    for unit in (drop_in, UNIT.read_text()):
        assert "Requires=cloud-services-settings.service" in unit
        assert re.search("^After=.*cloud-services-settings.service", unit, re.MULTILINE)


def test_the_readme_of_the_layer_names_its_layers_and_recipes() -> None:
    """Each with what it is for."""
    text = (LAYER / "README.md").read_text()
    named = {*KNOWN["layers"], *(path.stem.partition("_")[0] for path in LAYER.rglob("*.bb"))}
    assert [name for name in named if f"`{name}`" not in text] == []


def test_the_documented_scenario_is_one() -> None:
    """That of docs/yocto.md loads, and asks the ports on which a guest listens."""
    (text,) = re.findall(r"^```toml\n(.+?)^```$", (ROOT / "docs/yocto.md").read_text(), re.MULTILINE | re.DOTALL)
    brokers = load_text(text, "docs/yocto.md").scenario.brokers
    asked = {one.kind: one.external.port for one in brokers if isinstance(one, BrokerSettings) and one.external}
    assert asked == {"rabbitmq": 5672, "qpid-broker-j": 5673}
    (image,) = LAYER.rglob("cloud-services-image.bb")
    assert all(f"hostfwd=tcp:127.0.0.1:{port}-:{port}" in image.read_text() for port in asked.values())
