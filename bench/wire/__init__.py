"""Compiled codecs of AMQP: messages into octets, octets into rows of int64. No sockets, clock, files, addresses.

Why our own: a Python client spends 20 to 1,400 µs on a message, a broker 5 to 30. A benchmark whose
client is the slower half measures itself. Here a message costs no step in the interpreter: kernels
(Numba) work on buffers of octets and on tables, a batch a call.

Tables instead of objects. A connection is a row of one table, a lane (a channel of 0-9-1, a link of
1.0) a row of another, and ten thousand connections need no object each. `amqp091_layout` and
`amqp10_layout` name the columns, the statuses and the faults of each protocol, and put its tables into
one NamedTuple (`ChannelTables`, `LinkTables`). What a scan writes is another (`cursor.Scanned`), what
messages are made of a third (`templates.Templates`). They are made by keyword, once a port: a kernel that
took each array by its place would not notice two that were swapped.

Reading. A buffer holds octets as they came, cut anywhere: in the middle of a frame, a length, a
stamp. `amqp091_scan` and `amqp10_scan` use up all that is complete, note in the tables how far they are
in what is not, and append a row a delivery or settlement. Bodies are never gathered: only the 32
octets of the stamp are looked at. A frame that is not about messages (open, close, tune, attach)
stops the scan; its bounds go to Python, as such frames are few (over 1.0 Proton encodes and decodes
their values, `amqp10_control`). The *cursor* is an int64 array that
says where the scan stopped, how many rows there are, and why it stopped (`cursor`).

Writing. A message is made once, as a template; to send it is to copy the template and put in the
stamp and what changes (`amqp091_encode`, `amqp10_encode`; `templates` where sizes differ; `amqp10_front` and
`amqp10_pieces` where keys, reply addresses or numbers in texts do). Over 0-9-1 there are first frames once a lane, or
once a routing key and once a lane, and the digits of a sequence number in a property are written over as the stamp is
(`amqp091_frames`). Who answers requests writes down where each requester wants its replies (`amqp091_requesters`). What
a receiver
owes is written in batches: acknowledgements with `multiple` in 0-9-1, dispositions over ranges and
flows in 1.0 (`amqp10_answer`). What a sender is told, confirms or dispositions, is matched with what it
sent (`amqp091_settle`, `amqp10_settle`) by a ring of the messages that wait.

Trust. The octets come from a peer that may be broken or hostile. Nothing is read behind the end of
the buffer, and every length is checked before it is believed; a fault is a number in the
cursor, which the driver words. What waits, reads and sends in compiled code lives with the drivers
(`bench.drivers.wire`), which call these kernels from loops of their own. Codecs are tested against
pika and Proton, against what real brokers sent, cut at every boundary, and with mutated streams.

Sources: AMQP 0-9-1 specification with its XML; OASIS AMQP 1.0 parts 1 (types), 2 (transport), 3
(messages), 5 (security). Each function names its section.
"""
