"""Apache ActiveMQ Classic, over AMQP 1.0."""
