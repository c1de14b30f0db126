"""Apache ActiveMQ Artemis: AMQP 1.0, managed by messages."""
