SUMMARY = "Apache Qpid Broker-J, a message broker in Java"
DESCRIPTION = "Speaks AMQP 0-9-1 and 1.0 on one port; Apache's binary release, run as a service."
HOMEPAGE = "https://qpid.apache.org/components/broker-j/"
BUGTRACKER = "https://issues.apache.org/jira/projects/QPID"
SECTION = "net"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://qpid-broker/${PV}/LICENSE;md5=bae4f80eb468aed1e9658204089ef08f"

# All go to the default S, which has the same name in every series.
SRC_URI = "\
    ${APACHE_MIRROR}/qpid/broker-j/${PV}/binaries/apache-qpid-broker-j-${PV}-bin.tar.gz;subdir=${BP} \
    file://qpid-broker-j.service;subdir=${BP} \
"
# Written by `python -m brokers.image.yocto`, from the recipe of the image.
SRC_URI[sha256sum] = "bfb97420312e4b1050f337c9633cf84ae7fbfc0fccfbe6e65a38383e33878a40"

CVE_PRODUCT = "apache:qpid_broker-j"

inherit features_check systemd useradd

REQUIRED_DISTRO_FEATURES = "systemd"
SYSTEMD_SERVICE:${PN} = "qpid-broker-j.service"

USERADD_PACKAGES = "${PN}"
USERADD_PARAM:${PN} = "--system --user-group --no-create-home --home-dir ${localstatedir}/lib/qpid-broker-j --shell /sbin/nologin qpid"

# Nothing is compiled: these are jars.
INHIBIT_DEFAULT_DEPS = "1"
do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -d ${D}${datadir}/qpid-broker-j/lib
    install -m 0644 ${S}/qpid-broker/${PV}/lib/*.jar ${D}${datadir}/qpid-broker-j/lib/
    install -d ${D}${systemd_system_unitdir}
    install -m 0644 ${S}/qpid-broker-j.service ${D}${systemd_system_unitdir}/
    install -d -m 0750 -o qpid -g qpid ${D}${localstatedir}/lib/qpid-broker-j
}

# It needs Java 17 or newer.
RDEPENDS:${PN} = "openjdk-21-jre"
