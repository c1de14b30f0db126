"""The load generator: the one loop that sends, and what shapes it.

`pump` is the loop. In each turn it asks the `source` how many messages are due, asks the
driver for room, sends as many as both allow, and waits in the driver for news until the next
message is due. The driver encodes and sends; it never decides when.

- *Open loop*: the schedule (`bench.arrivals`) says when a message is due; the broker has no
  influence on it. A message that finds no room waits, and its response time, counted from the intended
  time, contains the wait.
- *Closed loop*: a token is returned for each message received, and a message is due when there
  is a token. It measures the highest throughput at a number of messages in flight, and its
  latencies hide stalls; reports say so.

`waiting` says how the pump waits: asleep in the kernel, or in a busy wait (spin) shortly before
a message is due, or a little longer so that several messages share one write (coalesce); and how a
slow consumer takes its time.

A late message has two possible causes, and `backpressure` tells them apart. While a message is
due and the driver has no room (confirm window, credit, socket, flow control), the time is the
broker's: backpressure. The rest of its lateness is our own: send lag. Their sum is sent −
intended, exactly, for each message.

What must not be here: protocols, processes, files. A trial of ten minutes runs on a virtual
clock in milliseconds, as time passes only in the driver's `poll`.
"""
