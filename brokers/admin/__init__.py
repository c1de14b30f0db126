"""How queues are declared, counted and deleted around a measurement: one contract, one module a protocol.

An admin is a connection of our own to a broker, over what its product offers: AMQP 0-9-1,
management over AMQP 1.0, HTTP. Nothing here is on the path of a measured message.

Rules: every call ends, with a broker that answers nothing as well; every fault is an
`AdminError` whose class says who is to blame; a product that has its own way of being asked
derives an admin in its own folder.
"""
