"""Drivers: how a worker talks to a broker. A driver encodes, sends, settles and receives; it never decides when.

`base` is the contract. A *lane* is one producer or consumer, a *port* owns all connections and lanes of a worker. The
pump asks the port for `room`, `send`s batches of int64 arrays and `poll`s, which waits for news and returns settlements
and deliveries, again as arrays. A `description` says what a driver is called and can do; it is loaded to be listed and
imports no client library. `registry` finds drivers by entry points, ours as well as those of other packages.

- `wire`: AMQP 0-9-1 and 1.0 by our compiled codecs (`bench.wire`). They cost a few tenths of a µs a message, so
  that the broker is what is measured.
- `pika`, `proton`, `kombu`: client libraries. Where a library leaves the socket to us (its codec or engine alone,
  or its own loop that we turn), its lanes run on `sockets`; where it owns the socket and blocks, as applications
  use it, on `blocking`.
- `memory_broker`: a scripted broker on a virtual clock, for tests and for what-if runs.
"""
