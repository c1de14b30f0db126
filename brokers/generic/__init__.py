"""Anybody's broker, known by its protocol alone: the kinds `amqp091` and `amqp10`.

Nothing of a product is known here. What a broker can do is probed when it is reached
(`brokers.admin.abilities`); what cannot be asked is said. Queues are declared where the
protocol allows it, or named by the user (`external.queues`).
"""
