# Every target sets up by itself what it needs; `make help` lists them.

DATA ?= faithful:waiting
NAME ?= em_rates
ARGS ?=
JOBS ?= 2
SEEDS ?= 0
CPU ?= generic
PYTHON ?=

BIN := .venv/bin
UV := .venv-uv/bin/uv
export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export SEEDS

# The first candidate that runs and is new enough: one that is only on the PATH may not run.
CANDIDATES = $(or $(PYTHON),python python3 python3.13 python3.12 python3.14)
RECENT := import sys; sys.exit(sys.version_info < (3, 12))
FOUND = $(shell for candidate in $(CANDIDATES); do \
	"$$candidate" -c '$(RECENT)' >/dev/null 2>&1 && { echo "$$candidate"; break; }; done)
OLD = $(or $(shell $(or $(PYTHON),python3) --version 2>/dev/null),no Python that runs)
NEEDED = $(if $(FOUND),,$(error ordered_mix needs Python 3.12 or newer and found $(OLD): \
	install one, or name one with "make PYTHON=/path/to/python3.12 ..."))

# A worker that has crashed is not replaced: xdist would wait for ever for its last file.
# A cache of its own: PyTensor's does not know which version wrote it, and warns about the others'.
# One thread for linear algebra: those of two processes wait for each other longer than they work.
PYTEST = OMP_NUM_THREADS=1 PYTENSOR_FLAGS=base_compiledir=$(CURDIR)/$(1)/pytensor \
	$(1)/bin/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0 \
	$(ARGS)

# What depends on the last bits of compiled code: vectors are at most as wide as CPU has them.
NUMERICAL = tests/test_kernels.py tests/test_kernels_batches.py tests/test_kernels_rows.py \
	tests/test_numerics.py tests/test_map.py tests/test_determinism.py \
	'tests/test_exact.py::test_draws_match_the_exact_posterior[signed-options1]' \
	'tests/test_nuts.py::test_low_dim_gauss_mix_posterior_means[signed]'

.DEFAULT_GOAL := help
.PHONY: help compare study references samplers findings docs test test-plain lint test-lowest conda-test bench reliability coverage \
	mutants lock wheel clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1 \2/p' $(MAKEFILE_LIST) | \
		while read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

compare: .venv/.installed ## compare parameterizations and estimators (DATA=my.csv:column, ARGS=--help)
	@$(BIN)/ordered-mix compare $(DATA) $(ARGS)

study: .venv/.installed ## run a study at laptop size and publish it (NAME=em_rates)
	@$(BIN)/ordered-mix run $(NAME) --size laptop --out studies/results/$(NAME) $(ARGS)

references: .venv/.installed ## build the missing reference posteriors and check all (ARGS="--dask ...")
	@$(BIN)/python references/build.py $(ARGS)

samplers: .venv/.installed ## run the table of samplers at laptop size and write its page
	@$(BIN)/ordered-mix run references/samplers.py --out references/table $(ARGS)
	@$(BIN)/python references/page.py

findings: .venv/.installed ## write verdicts, reports, docs/findings.md and README.md from studies/results/
	@$(BIN)/python docs/findings.py && $(BIN)/python docs/pictures/draw.py

docs: .venv/.installed ## build docs/_build/html; tutorial and examples are run
	@OMP_NUM_THREADS=1 PYTENSOR_FLAGS=base_compiledir=$(CURDIR)/.venv/pytensor \
		$(BIN)/python -m sphinx -q -W -n --keep-going -j $(JOBS) docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

test: .venv/.installed ## run the tests (ARGS=tests/test_data.py for one file, SEEDS=1 for other seeds)
	@$(call PYTEST,.venv)

test-plain: .venv/.installed ## run the numerical tests on code for a plain processor (CPU=haswell)
	@NUMBA_CPU_NAME=$(CPU) NUMBA_CPU_FEATURES= OPENBLAS_CORETYPE=Nehalem \
		$(call PYTEST,.venv) $(NUMERICAL)

lint: .venv/.installed ## check style, format and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

test-lowest: .venv-lowest/.installed ## run the tests on the lowest versions pyproject.toml admits
	@$(call PYTEST,.venv-lowest)

conda-test: ## solve environment.yml with conda, mamba or micromamba, and try it
	@client=$$(command -v micromamba || command -v mamba || command -v conda) || { \
		echo "conda-test needs micromamba, mamba or conda, and none is on the PATH." >&2; exit 1; }; \
	set -e; results=$$(mktemp -d); trap 'rm -rf "$$results"' EXIT; rm -rf .venv-conda; \
	"$$client" env create --yes --prefix ./.venv-conda --file environment.yml; \
	"$$client" run --prefix ./.venv-conda python -m pip check; \
	"$$client" run --prefix ./.venv-conda ordered-mix compare low_dim_gauss_mix \
		--draws 100 --chains 2 --out "$$results/smoke"

bench: .venv/.installed ## run the speed comparisons in benchmarks/
	@$(BIN)/python benchmarks/run.py $(ARGS)

reliability: .venv/.installed ## kill 50 times, run the tests of the promises, write docs/reliability.md
	@PYTENSOR_FLAGS=base_compiledir=$(CURDIR)/.venv/pytensor \
		$(BIN)/python tools/reliability_report.py $(ARGS)

coverage: .venv/.installed ## run the tests, list the lines that none runs, keep which runs which
	@mkdir -p results/coverage
	@COVERAGE_FILE=results/coverage/data $(call PYTEST,.venv) --cov --cov-context=test \
		--junitxml=results/coverage/tests.xml

mutants: .venv/.installed results/coverage/data ## change the code at 200 places: do the tests notice?
	@PYTENSOR_FLAGS=base_compiledir=$(CURDIR)/.venv/pytensor \
		$(BIN)/python tools/mutants.py $(ARGS)

results/coverage/data:
	@$(MAKE) coverage

lock: .venv-uv/.installed ## write requirements.lock anew from pyproject.toml
	@{ echo "# Written by \`make lock\`: to run, test, lint and build on Python 3.12 and newer."; \
	$(UV) pip compile --quiet --universal --python-version 3.12 --generate-hashes \
		--extra test --extra accessibility --extra lint --extra build --extra docs --extra mutants \
		--no-annotate --no-header --no-emit-index-url --no-emit-find-links --no-strip-extras \
		pyproject.toml; } > requirements.lock.new
	@mv requirements.lock.new requirements.lock

wheel: .venv/.installed ## build dist/*.tar.gz, and from it dist/*.whl
	@rm -rf build dist
	@$(BIN)/python -m build --quiet --no-isolation --outdir dist

clean: ## remove the environments and what was built (results/ stays)
	rm -rf .venv .venv-lowest .venv-uv .venv-conda build dist *.egg-info docs/_build \
		docs/api docs/auto docs/extra docs/study

.venv/.locked: requirements.lock
	@$(NEEDED)echo "Setting up .venv from requirements.lock; this happens once and takes a minute or two."
	@$(FOUND) -m venv --clear .venv
	@$(BIN)/pip install -qq --no-compile --require-hashes -r requirements.lock
	@$(BIN)/python -m compileall -qq -j 0 .venv/lib || true
	@touch $@

.venv/.installed: .venv/.locked pyproject.toml
	@$(BIN)/pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@

.venv-lowest/.installed: pyproject.toml .venv-uv/.installed
	@$(NEEDED)echo "Setting up .venv-lowest with the lowest versions that pyproject.toml admits."
	@$(FOUND) -m venv --clear .venv-lowest
	@$(UV) pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct \
		--editable '.[test]'
	@touch $@

.venv-uv/.installed:
	@$(NEEDED)$(FOUND) -m venv --clear .venv-uv
	@.venv-uv/bin/pip install -qq uv
	@touch $@
