SUMMARY = "Settings of the brokers, with a password that each guest makes for itself"
DESCRIPTION = "The settings that busbench gives RabbitMQ and Qpid Broker-J in its sandbox. At the first start of a \
    guest a password is made; it stands in /var/lib/cloud-services/password, which only root may read."
HOMEPAGE = "https://www.rabbitmq.com/docs/configure"
SECTION = "net"
LICENSE = "Apache-2.0"
# nooelint: oelint.var.licenseremotefile - all of it is in this layer
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/Apache-2.0;md5=89aea4e17d99a7cacdbeed46a0096b10"

# All go to the default S, which has the same name in every series.
SRC_URI = "\
    file://cloud-services-settings;subdir=${BP} \
    file://cloud-services-settings.service;subdir=${BP} \
    file://initial.json;subdir=${BP} \
    file://rabbitmq-server.conf;subdir=${BP} \
    file://rabbitmq.conf;subdir=${BP} \
"

inherit features_check systemd

REQUIRED_DISTRO_FEATURES = "systemd"
SYSTEMD_SERVICE:${PN} = "cloud-services-settings.service"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -d ${D}${libexecdir} ${D}${datadir}/${BPN}
    install -m 0755 ${S}/cloud-services-settings ${D}${libexecdir}/
    install -m 0644 ${S}/initial.json ${S}/rabbitmq.conf ${D}${datadir}/${BPN}/
    install -d ${D}${systemd_system_unitdir}/rabbitmq-server.service.d
    install -m 0644 ${S}/cloud-services-settings.service ${D}${systemd_system_unitdir}/
    install -m 0644 ${S}/rabbitmq-server.conf ${D}${systemd_system_unitdir}/rabbitmq-server.service.d/cloud-services.conf
}

FILES:${PN} += "${systemd_system_unitdir}/rabbitmq-server.service.d"

# Their groups are those that may read the settings.
RDEPENDS:${PN} = "qpid-broker-j rabbitmq-server"
