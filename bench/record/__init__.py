"""Recording: where numbers go as they are measured. Batches of int64 in, arrays out.

Three things are kept of every message, each exactly and in bounded memory:

- *Latency* goes into HDR histograms (three significant digits, so each value is off by less than
  0.1 %), one for each second of the *intended* send time and each kind: response (received −
  intended), service (received − sent), confirm (confirmed − intended), send lag and
  backpressure. Keyed by intended time, a stall of the broker stands in the seconds in which its
  messages were due, and the conductor can cut the warm-up off afterwards. `buckets` are the cells
  of the seconds under way, `histogram` decides which seconds have them, `hlog` is the file.
- *The ledger* keeps one bit a message on either side. The producers' bits say what was
  confirmed, the consumers' what arrived; only both together can say what was lost or came twice.
- *Ticks* of 100 ms count what was due, sent, received and confirmed, for the time line.

`batch_kernels` are the compiled kernels that do all of this in one pass a batch; no message costs a
step in the interpreter. A kernel that needs larger arrays stops before the row that needs them and
returns its number; `account` makes room in Python and calls it again from there.

Values that a histogram cannot hold (negative, above an hour) are counted apart and shown, never
dropped. `payload` reads a written log back, straight to buckets.
"""
