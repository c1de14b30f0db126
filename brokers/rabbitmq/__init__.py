"""RabbitMQ: `product` is the contract, `settings` what can be asked of it, `config` its files."""
