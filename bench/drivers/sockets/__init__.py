"""Ports over sockets of our own, for client libraries that leave the sockets to us: many connections, one loop.

A library's codec gives and takes bytes; `connection` carries them over a `stream`, plain or TLS,
and `port` decides when. `timers` are heartbeats and acknowledgements that linger, `selector` waits
for sockets and timers at once, and `row_buffer` gathers what `poll` returns.
"""
