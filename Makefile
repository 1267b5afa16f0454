# The verbs of this project. `make run` and `make test` need Python >= 3.11 and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
MANIFEST ?= manifests/dev/acme.yaml
# Four for two cores: many tests wait for a server, a lease or a daemon.
TEST_WORKERS ?= 4
LOCKED = $(shell sed -nE 's/^([a-z0-9._-]+)(\[[a-z,-]+\])?==.*/\1/p' requirements.lock)
LICENCES = MIT;Apache;BSD;ISC;PSF;Python Software Foundation;MPL;Mozilla Public;LGPL;Lesser General;0BSD;ZPL

.PHONY: run dev test lint types gates docs contract contracts bench bench-api torture simulation screenshots lock clean

run: $(VENV)/run.stamp ## the main job: a manifest fills an embedded PostgreSQL
	$(BIN)/seed-data run $(MANIFEST) --ignore-window

dev: $(VENV)/run.stamp ## Dagster's UI and daemon on the same PostgreSQL
	$(BIN)/seed-data dev

test: $(VENV)/dev.stamp ## every test
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadscope --no-loadscope-reorder --cov --cov-report=term:skip-covered --cov-fail-under=85 $(PYTEST_ARGS)

lint: $(VENV)/dev.stamp ## style, imports, formatting, and migrations that would block the application
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/squawk --reporter gcc seed_pipelines/sql/migrations/*.sql

types: $(VENV)/dev.stamp ## mypy, strict
	$(BIN)/mypy

gates: $(VENV)/dev.stamp .venv-tools/stamp ## security, licences, advisories, bill of materials, manifests and rules
	$(BIN)/bandit --quiet --severity-level medium --recursive seed_pipelines infra
	@$(BIN)/pip-licenses --packages $(LOCKED) --partial-match --allow-only "$(LICENCES)" >/dev/null
	$(BIN)/python infra/gates/advisories.py requirements.lock
	mkdir -p .seed
	.venv-tools/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible \
		--output-format JSON --outfile .seed/sbom.cdx.json 2>/dev/null
	$(BIN)/seed-data manifest check
	$(BIN)/python infra/policy/check.py manifests
	.venv-tools/bin/checkov --directory . --framework terraform dockerfile github_actions gitlab_ci --skip-download \
		--skip-path '.venv.*' --quiet --compact

docs: $(VENV)/dev.stamp ## the documents as a site, in .seed/site; nothing is fetched
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

contract: $(VENV)/dev.stamp ## write contracts/openapi.yaml from the code
	$(BIN)/python infra/contracts/document.py

contracts: contracts/node_modules/.stamp $(VENV)/dev.stamp ## lint the contract, and hold it against the one that was released
	contracts/node_modules/.bin/spectral lint contracts/openapi.yaml --ruleset contracts/.spectral.yaml --fail-severity warn
	$(BIN)/python infra/contracts/breaking.py

contracts/node_modules/.stamp: contracts/package-lock.json
	npm ci --prefix contracts --no-audit --no-fund --silent
	touch $@

bench: $(VENV)/dev.stamp ## the figures, as ratios within one run, the usual libraries beside ours; takes minutes
	$(BIN)/python benchmarks/masking.py
	$(BIN)/python benchmarks/generation.py
	$(BIN)/python benchmarks/uniqueness.py
	$(BIN)/python benchmarks/peers.py
	$(BIN)/python benchmarks/carga.py

torture: $(VENV)/dev.stamp ## kill workers and PostgreSQL at random moments; some minutes
	PYTHONPATH=seed_pipelines_tests $(BIN)/python -m torture $(TORTURE_ARGS)

simulation: $(VENV)/dev.stamp ## a thousand tenants in one queue; five minutes
	PYTHONPATH=seed_pipelines_tests $(BIN)/python -m simulation $(SIMULATION_ARGS)

screenshots: $(VENV)/dev.stamp ## docs/images of Dagster's UI, by Chromium; fails where the UI does not show what it has to
	PYTHONPATH=seed_pipelines_tests $(BIN)/python infra/docs/screenshots.py --write-docs

bench-api: $(VENV)/dev.stamp ## the API under load, against benchmarks/api_targets.toml
	$(BIN)/python benchmarks/api_load.py

# Apart from the project: they pin what the project needs in other versions, and slow its start down.
.venv-tools/stamp: infra/gates/tools.lock
	$(PYTHON) -m venv .venv-tools
	.venv-tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

lock: ## pin what pyproject.toml asks for, with hashes; needs uv
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-strip-extras \
		--no-annotate --no-header --quiet --group build -o requirements.lock
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-strip-extras \
		--no-annotate --no-header --quiet --group build --group dev -c requirements.lock -o requirements-dev.lock
	printf 'checkov>=3.2\ncyclonedx-bom>=4.6\n' | uv pip compile - --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-strip-extras --no-annotate --no-header --quiet -o infra/gates/tools.lock

clean: ## what the verbs above have made, the embedded database included
	-$(BIN)/seed-data db remove --yes
	rm -rf $(VENV) .venv-tools .seed contracts/node_modules

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "seed-pipelines needs Python 3.11 or later")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@
