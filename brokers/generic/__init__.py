"""Anybody's broker, known by its protocol alone: the kinds `amqp091` and `amqp10`.

No product is known here. What a broker can do is probed when it is reached
(`brokers.admin.abilities`); the record says what could not be found out. Queues are declared where the
protocol allows it, or named by the user (`external.queues`).
"""
