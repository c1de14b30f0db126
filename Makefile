# The verbs of this project; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help setup compare lint check test soak evidence clean

BIN := .venv/bin
# PYTHON = the interpreter of `make setup`; PYTEST_FLAGS, RUN_FLAGS = passed on as they are.
export PYTHON
# Tests start hundreds of interpreters, each of which would otherwise compile the suite again.
export PYTHONDONTWRITEBYTECODE =
# Tests share the CPUs, by the file, so that what a file makes is made once. Those that start brokers wait for them now
# and then, so two files of them at once, each with brokers of its own. What measures, or wants the CPUs for itself,
# comes one after the other.
BY_FILE := --dist loadfile --no-loadscope-reorder
PARALLEL := --numprocesses auto --maxprocesses 4 $(BY_FILE)
WAITING := --numprocesses 2 $(BY_FILE)
SERIAL := live or alone
# Where live tests are: others need not be collected for them.
LIVE := tests/live tests/notebooks tests/test_docs_brokers.py

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing (system packages by apt, Python packages into .venv)
	@.ci/setup.sh

compare: setup ## RabbitMQ beside Qpid Broker-J, in minutes; ends with the path of the report
	@# 3 = some trials were invalid: the report says which and why, and a quick look is still a look.
	@$(BIN)/bench run rabbitmq-vs-qpid --quick $(RUN_FLAGS) || [ $$? -eq 3 ]

lint: setup ## Ruff (rules and format) and mypy
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@.ci/actionlint.sh

check: lint ## Lint, types, and every test without brokers, compiler and notebooks
	@# In one process: each further one would cost ten seconds of CPU time to collect the tests again.
	@NUMBA_DISABLE_JIT=1 $(BIN)/pytest -m "not (compiled or notebook or $(SERIAL) or soak)" --ignore tests/live --hypothesis-profile uncompiled $(PYTEST_FLAGS)

test: lint ## Lint, types, and every test, those on real brokers included
	@$(BIN)/pytest $(PARALLEL) -m "not ($(SERIAL) or soak)" $(PYTEST_FLAGS)
	@$(BIN)/pytest $(WAITING) $(LIVE) -m "live and not (alone or soak)" $(PYTEST_FLAGS)
	@$(BIN)/pytest -m "alone and not soak" $(PYTEST_FLAGS)

soak: setup ## What is too long for every day: whole matrices, many generated examples, fuzzing
	@$(BIN)/pytest -m soak $(PYTEST_FLAGS)
	@$(BIN)/pytest $(PARALLEL) -m "hypothesis and not ($(SERIAL))" --hypothesis-profile soak --timeout 3600 $(PYTEST_FLAGS)
	@NUMBA_BOUNDSCHECK=1 $(BIN)/python -m tests.evidence.fuzz091 10000000
	@NUMBA_BOUNDSCHECK=1 $(BIN)/python -m tests.evidence.fuzz10 10000000
	@$(BIN)/python -m tests.evidence.fuzz_readers 2000

evidence: setup ## Measure the tool itself, then the full comparison: hours, on a machine with nothing else to do
	@$(BIN)/python -m tests.evidence.performance
	@$(BIN)/python -m tests.evidence.trust
	@$(BIN)/python -m tests.evidence.faults
	@$(BIN)/python -m tests.evidence.page
	@$(BIN)/python -m tests.evidence.jupyter
	@$(BIN)/bench run rabbitmq-vs-qpid $(RUN_FLAGS)

clean: ## Remove .venv, caches and build products; results/ and the image cache stay
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find bench brokers reports tests -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "clean: results/ and the image cache were left; remove an image with: bench image rm NAME"
