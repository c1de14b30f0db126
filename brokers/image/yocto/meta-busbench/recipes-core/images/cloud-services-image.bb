SUMMARY = "Message brokers of a control plane, to be measured from outside"
DESCRIPTION = "RabbitMQ and Qpid Broker-J as services with the settings that busbench gives them in its sandbox, \
    and chrony. The load generator runs on another machine, or on the host of the guest."
LICENSE = "Apache-2.0"

IMAGE_FEATURES += "ssh-server-openssh"
IMAGE_INSTALL = "packagegroup-core-boot packagegroup-cloud-services ${CORE_IMAGE_EXTRA_INSTALL}"
# Queues live on the root file system: 4 GiB more than the packages take.
IMAGE_ROOTFS_EXTRA_SPACE = "4194304"

inherit core-image features_check

REQUIRED_DISTRO_FEATURES = "systemd"

# For runqemu: each broker may use 1 GiB and two CPUs, as in the sandbox.
QB_MEM = "-m 4096"
QB_SMP = "-smp 2"
# With `runqemu slirp` the brokers are reached on the loopback of the host alone.
# nooelint: oelint.vars.mispell.unknown - runqemu reads it, no class does
QB_SLIRP_OPT = "-netdev user,id=net0,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=tcp:127.0.0.1:5672-:5672,hostfwd=tcp:127.0.0.1:5673-:5673"
