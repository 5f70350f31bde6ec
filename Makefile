# Every target sets up what it needs in .venv from nothing but Python and a package registry.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# one thread a test process: two processes share the machine
QUIET := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 PIP_DISABLE_PIP_VERSION_CHECK=1

.PHONY: demo test test-class-as-user attack lint check-full bench pretrain docs notebooks pictures wheel clean help

help:
	@echo "make demo        lesson 1 on simulated patients, start to finish"
	@echo "make test        the tests"
	@echo "make attack      attacks on a running class, as root and as an ordinary user"
	@echo "make lint        style, types, declared dependencies, and which room may import which"
	@echo "make check-full  the tests that take long, too"
	@echo "make bench       speed and accuracy, beside other frameworks"
	@echo "make pretrain    the bundled weights, trained again on simulated patients"
	@echo "make docs        the documentation as a site, in site/"
	@echo "make notebooks   the lessons as notebooks for Colab and Kaggle, and the links to them"
	@echo "make pictures    the pictures in docs/images, from lesson 1 as it is now (needs chromium)"
	@echo "make wheel       the package as one file, in dist/"
	@echo "make clean       remove what the targets made"

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "firstread needs Python 3.11, 3.12 or 3.13; choose one with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[all]" --group test
	@touch $@

demo: $(READY)
	$(BIN)/firstread run hello-world

test: $(READY)
	$(QUIET) $(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

# what a class does for an ordinary user (root runs it as one): the tests of the classroom, and the attacks
test-class-as-user: $(READY)
	$(QUIET) $(BIN)/python tests/as_ordinary_user.py pytest -m "not slow" -n 2 --dist loadfile -p no:cacheprovider tests/classroom

attack: $(READY)
	$(QUIET) $(BIN)/python benchmarks/attacks.py

check-full: $(READY)
	$(QUIET) $(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(READY)
	$(BIN)/ruff format --check src tests benchmarks pretraining docs/scripts
	$(BIN)/ruff check src tests benchmarks pretraining docs/scripts
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/deptry src/firstread

bench: $(READY)
	$(BIN)/python benchmarks/run.py $(ARGS)

pretrain: $(READY)
	$(BIN)/python pretraining/pretrain.py $(ARGS)

docs: $(READY)
	$(BIN)/mkdocs build --strict --quiet
	@echo "The site is in site/index.html"

notebooks: $(READY)
	$(BIN)/python docs/scripts/notebooks.py

pictures: $(READY)
	$(BIN)/python docs/scripts/pictures.py $(ARGS)

wheel: $(READY)
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@echo "The package is in dist/"

clean:
	rm -rf $(VENV) .venv-peers site build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
