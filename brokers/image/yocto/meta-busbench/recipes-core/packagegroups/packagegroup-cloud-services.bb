SUMMARY = "Brokers of the cloud-services image"
DESCRIPTION = "The brokers, their settings, and time by NTP: what makes a base system a cloud-services image."
LICENSE = "Apache-2.0"

inherit packagegroup

RDEPENDS:${PN} = "\
    chrony \
    chronyc \
    cloud-services-settings \
    qpid-broker-j \
    rabbitmq-server \
"
