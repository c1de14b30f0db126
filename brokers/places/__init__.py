"""Where brokers run: one contract, one module or folder a place, found by entry points.

A place owns everything about the ground a broker stands on: how its program is started
within limits, signalled and ended; at which address it listens; where a file of its program
is; what its processes use. It knows nothing of AMQP or of any product.

    base       the contract
    sandbox    the image's root file system under bubblewrap
    external   an address that someone else runs: nothing is started there
    identity   whom a broker runs as that root starts
    limits     memory cap and CPU quota by control group, for places on this kernel
    ports      free ports on loopback
    sampling   what processes use, by /proc
    registry   the places there are
"""
