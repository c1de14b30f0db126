"""How a worker talks to a broker. A driver encodes, sends, settles and receives; it never decides when."""
