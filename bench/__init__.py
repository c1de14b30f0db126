"""busbench: producer and consumer drivers, and all that turns their work into numbers."""
