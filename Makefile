# The verbs of this project; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help setup compare test lint evidence clean

BIN := .venv/bin
# PYTHON = the interpreter of `make setup`; PYTEST_FLAGS, RUN_FLAGS = passed on as they are.
export PYTHON

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing (system packages by apt, Python packages into .venv)
	@.ci/setup.sh

compare: setup ## RabbitMQ beside Qpid Broker-J, in minutes; ends with the path of the report
	@# 3 = some trials were invalid: the report says which and why, and a quick look is still a look.
	@$(BIN)/bench run rabbitmq-vs-qpid --quick $(RUN_FLAGS) || [ $$? -eq 3 ]

test: lint ## Linters, then every test, those on real brokers included
	@$(BIN)/pytest $(PYTEST_FLAGS)

lint: setup ## Ruff (rules and format) and mypy
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

evidence: setup ## Measure the tool itself, then the full comparison: hours, on a machine with nothing else to do
	@$(BIN)/python -m tests.evidence.performance
	@$(BIN)/python -m tests.evidence.trust
	@$(BIN)/python -m tests.evidence.page
	@$(BIN)/python -m tests.evidence.jupyter
	@NUMBA_BOUNDSCHECK=1 $(BIN)/python -m tests.evidence.fuzz091 10000000
	@$(BIN)/python -m tests.evidence.fuzz10 10000000
	@$(BIN)/bench run rabbitmq-vs-qpid $(RUN_FLAGS)

clean: ## Remove .venv, caches and build products; results/ and the image cache stay
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find bench brokers reports tests -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "clean: results/ and the image cache were left; remove an image with: bench image rm NAME"
