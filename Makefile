# The chores of Callboard. Each one first sets up what it needs: a fresh machine needs python3, make and git, no more.
#
#   PYTHON=/path/python3.12   the interpreter to use       VENV=folder   another environment than .venv
#   ARGS="-k webhook -x"      handed on to the command behind a chore

VENV ?= .venv
PYTHON ?=
PYTHONS ?=
ARGS ?=
export VENV PYTHON

.DEFAULT_GOAL := help
.PHONY: help run connect demo test check format bench faults matrix lock clean

help: ## list the chores
	@awk -F ': ## ' '/^[a-z]+: ## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

run: ## set up what is missing and serve the board
	@bin/setup requirements.txt
	@$(VENV)/bin/python -m dashboard serve $(ARGS)

connect: ## say what to paste into CallKaro, and wait for its first report
	@bin/setup requirements.txt
	@$(VENV)/bin/python -m dashboard connect $(ARGS)

demo: ## serve a board with calls made up as you watch
	@bin/setup requirements.txt
	@$(VENV)/bin/python -m dashboard demo $(ARGS)

test: ## run the whole suite, browser and PostgreSQL included
	@bin/test $(ARGS)

check: ## lint, formatting and types
	@bin/setup requirements-dev.txt
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy

format: ## put the code into shape
	@bin/setup requirements-dev.txt
	@$(VENV)/bin/ruff check --fix
	@$(VENV)/bin/ruff format

bench: ## measure speed and memory beside peers
	@bin/setup requirements-dev.txt
	@bin/setup requirements-bench.txt
	@CHROMIUM=$$(bin/find-chromium) $(VENV)/bin/python -m bench all $(ARGS)

faults: ## make every fault the board should survive, 12 minutes; LONG=1 takes the full numbers, ARGS=NAME one of them
	@bin/setup requirements-dev.txt
	@bin/setup requirements-bench.txt
	@CHROMIUM=$$(bin/find-chromium) PGBOUNCER=$$(bin/find-pgbouncer) $(VENV)/bin/python -m bench.faults $(ARGS)

matrix: ## run the suite on several interpreters: PYTHONS="/path/python3.12 /path/python3.13"
	@bin/matrix $(PYTHONS)

lock: ## resolve pyproject.toml into the lock files again; ARGS=--upgrade takes newer versions
	@bin/setup requirements-dev.txt
	@bin/lock $(ARGS)

clean: ## remove what the chores made; data/ stays
	rm -rf .venv .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
