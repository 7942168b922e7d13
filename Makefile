# Two commands matter: `make run` and `make test`. The rest is for people who change the code.
PYTHON ?= python3
VENV ?= .venv
HOST ?= 127.0.0.1
PORT ?= 8071
BIN := $(VENV)/bin
DEV := $(VENV)/.dev
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check

.PHONY: run test check format lock bench clean

run: $(VENV)/.run
	@exec $(BIN)/python tools/run.py --host $(HOST) --port $(PORT)

test: $(DEV)
	$(BIN)/pytest -n 2 --dist loadfile

check: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict
	$(BIN)/pylint src/ota_http_server
	$(BIN)/lint-imports

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV)
	$(BIN)/python -m benchmarks

# The lock: hashed, universal, and free of any package host's name.
lock: $(DEV)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --quiet --upgrade pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --quiet --upgrade pyproject.toml --extra postgresql --group dev \
	  -o requirements/dev.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --quiet --upgrade --group build -o requirements/build.txt

# pip, not python: where the latter came without it, the folder is there and of no use.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; say which: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.txt requirements/build.txt pyproject.toml | $(BIN)/pip
	@echo "Installing what the server needs into $(VENV), once; this takes a minute or two"
	@$(INSTALL) --require-hashes -r requirements/run.txt -r requirements/build.txt
	@$(INSTALL) --no-build-isolation --no-deps -e .
	@touch $@

$(DEV): requirements/dev.txt pyproject.toml | $(BIN)/pip
	@echo "Installing what the developers need into $(VENV), once; this takes a minute or two"
	@$(INSTALL) --require-hashes -r requirements/dev.txt
	@$(INSTALL) --no-build-isolation --no-deps -e .
	@touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
