# The project's commands. Needs Python 3.11 or newer, make and git; everything else goes into .venv.
SHELL = /bin/sh
.DEFAULT_GOAL = help
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
VENV = .venv
RUN = $(VENV)/bin/python
STAMP = $(VENV)/.installed
# The tests start hundreds of processes, and each would compile all of the project for itself.
export PYTHONDONTWRITEBYTECODE =

help:
	@echo "make demo [ONCE=1]   labbridge, a stub LIS and eight synthetic patients"
	@echo "make test            the whole suite"
	@echo "make check           format, lint, types, mappings, docs, then make test"
	@echo "make bench [ONLY=..] the speed figures, as ratios measured in one run"
	@echo "make mutate [ONLY=..] how many seeded edits of code and knowledge the tests catch"
	@echo "make faults [ONLY=..] the service under every fault of the reliability bar, at most 75 minutes; QUICK=1: the short way"
	@echo "make fuzz [SECONDS=..] [ONLY=..] coverage-guided fuzzing of what reads and writes bytes"
	@echo "make wheel           dist/labbridge-*.whl, byte for byte the same wherever it is built"
	@echo "make sbom            dist/labbridge.cdx.json: the bill of materials (CycloneDX)"
	@echo "make pip-audit       whether an advisory is known for a package; needs a database outside"
	@echo "make image-check     the container image built by podman and run; some minutes, needs root and the registries"
	@echo "make general         a million messages of a general laboratory: none taken for one of ours"

$(STAMP): requirements.lock pyproject.toml
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed: install it, or name it with make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(RUN) -c "open('$(STAMP)', 'w').close()"

demo: $(STAMP)
	$(RUN) samples/demo.py $(if $(ONCE),--once)

test: $(STAMP)
	$(RUN) -m pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)

check: $(STAMP)
	$(RUN) -m ruff format --check labbridge tests samples
	$(RUN) -m ruff check labbridge tests samples
	$(RUN) -m mypy
	$(VENV)/bin/labbridge check
	$(RUN) -m tests.checks.docs --check
	$(MAKE) test

docs: $(STAMP)
	$(RUN) -m tests.checks.docs

bench: $(STAMP)
	$(RUN) -m tests.bench $(if $(ONLY),--only $(ONLY))

mutate: $(STAMP)
	$(RUN) -m tests.mutate $(ONLY)

faults: $(STAMP)
	$(RUN) -m tests.faults $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY)) $(if $(SEED),--seed $(SEED))

fuzz: $(STAMP)
	@$(RUN) -c 'import atheris' 2>/dev/null || \
		$(RUN) -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[fuzz]'
	$(RUN) -m tests.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(ONLY),--only $(ONLY))

general: $(STAMP)
	$(RUN) tests/normalise/general_laboratory.py

wheel: $(STAMP)
	$(RUN) -c "import shutil; shutil.rmtree('dist', True)"
	env -u SOURCE_DATE_EPOCH $(RUN) -m hatchling build -t wheel -d dist

sbom: $(STAMP)
	$(RUN) -m tests.checks.supply dist/labbridge.cdx.json

pip-audit: $(STAMP)
	@$(RUN) -c 'import pip_audit' 2>/dev/null || \
		$(RUN) -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[audit]'
	@$(RUN) -m tests.checks.advisories

image-check: $(STAMP)
	$(RUN) -m pytest tests/deploy/image_built.py -s $(ARGS)

lock:
	$(RUN) -m piptools compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --strip-extras --no-header \
		--allow-unsafe --extra dev --output-file requirements.lock pyproject.toml
	$(RUN) -m piptools compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --strip-extras --no-header \
		--no-annotate --extra odbc --constraint requirements.lock --output-file deploy/requirements.lock pyproject.toml

clean:
	$(PYTHON) -c "import shutil; [shutil.rmtree(one, True) for one in ('$(VENV)', '.mypy_cache', '.ruff_cache', '.pytest_cache', '.hypothesis')]"

.PHONY: help demo test check docs bench mutate fuzz faults general wheel sbom pip-audit image-check lock clean
