# Nothing is installed twice: a stamp in .venv records each set of packages until pyproject.toml changes.
#
#   NOTES=500                 how many notes `make run` composes
#   CLUSTER_TESTS=""          all tests of `make cluster`, which by itself tries the most telling ones
#   MAESTRO=/path/to/maestro  the corpus with which `make bench` measures ingest too
#   PYTHON=/path/to/python    the Python that .venv is made with, 3.11 or newer
#   PIP_FLAGS="..."           passed to pip: on a machine without a GPU, --extra-index-url with
#                             PyTorch's own index of CPU builds saves gigabytes

VENV := .venv
BIN := $(VENV)/bin
NOTES ?= 300
CLUSTER_TESTS ?= (lost and not stores) or judged or killed
MAESTRO ?=
PYTHON ?=
PIP_FLAGS ?=
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help run serve test cluster coverage check fix bench guard dist site clean
.DELETE_ON_ERROR:

help: ## list these targets and variables
	@echo "Arietta composes expressive piano music as MIDI."
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
	@echo
	@awk '/^#   / { print substr($$0, 2) } /^VENV/ { exit }' Makefile

run: $(VENV)/.with-runtime ## install the light runtime and compose a piece into pieces/: MIDI, sound and picture
	@$(BIN)/arietta compose --notes $(NOTES) --sound --roll -o pieces/

serve: $(VENV)/.with-serve ## serve the studio and the HTTP interface on this machine
	@$(BIN)/arietta serve

test: $(VENV)/.with-test ## install what the tests need (torch too) and run them all, a file on each core
	@$(BIN)/python -m pytest -n logical --dist loadfile

cluster: $(VENV)-cluster/.made ## try work on many machines, with Ray in an environment beside .venv, in two or three minutes
	@$(VENV)-cluster/bin/python -m pytest -q tests/cluster -k "$(CLUSTER_TESTS)"

coverage: $(VENV)/.with-coverage ## measure what the tests run, in half an hour; fail below 98 % of lines, 94 % of branches
	@$(BIN)/python -m coverage erase
	@$(BIN)/python -m coverage run -m pytest -n logical --dist loadfile -m "not timed"
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage json --quiet -o coverage.json
	@$(BIN)/python -m release.coverage coverage.json

check: $(VENV)/.with-check ## check style, formatting, types, imports and documents
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/project

fix: $(VENV)/.with-check ## repair style and formatting where ruff can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.with-bench ## measure speed: a JSON line per case, and all of them in bench.json
	@$(BIN)/python -m benchmarks.shared.run_all bench.json speed.step speed.compose "speed.compose --long" \
	  speed.batch speed.start speed.train $(if $(MAESTRO),'speed.ingest "$(MAESTRO)"')
	@$(BIN)/python -m benchmarks.speed.guard

guard: $(VENV)/.with-test ## measure for half a minute, and fail if a ratio of speed is below the expected one
	@$(BIN)/python -m benchmarks.speed.guard

dist: $(VENV)/.with-dist ## build the wheel and the sdist of the last commit into dist/, and check them
	@$(BIN)/python -m release.dist

site: $(VENV)/.with-docs ## build the documents as a site into site/, warnings as errors
	@$(BIN)/python -m mkdocs build --strict --quiet

clean: ## remove .venv and the files of tools; pieces, corpora and runs stay
	@rm -rf $(VENV) $(VENV)-cluster .coverage* coverage.json build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find arietta tests benchmarks release -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp for each set of extras.
$(VENV)/.with-runtime: EXTRAS :=
$(VENV)/.with-runtime: SIZE := about 180 MB, no torch
$(VENV)/.with-serve: EXTRAS := [serve]
$(VENV)/.with-serve: SIZE := about 190 MB, no torch
$(VENV)/.with-test: EXTRAS := [serve,postgres,train,score,test,docs,dist]
$(VENV)/.with-test: SIZE := about 1.2 GB, with torch for the CPU
$(VENV)/.with-coverage: EXTRAS := [serve,postgres,train,score,test,docs,dist,coverage]
$(VENV)/.with-coverage: SIZE := about 1.2 GB, with torch for the CPU
$(VENV)/.with-check: EXTRAS := [serve,postgres,train,score,test,docs,dist,check]
$(VENV)/.with-check: SIZE := about 1.3 GB, with torch for the CPU
$(VENV)/.with-docs: EXTRAS := [docs]
$(VENV)/.with-docs: SIZE := about 200 MB, no torch
$(VENV)/.with-dist: EXTRAS := [dist]
$(VENV)/.with-dist: SIZE := about 200 MB, no torch
$(VENV)/.with-bench: EXTRAS := [serve,postgres,train,score,test,bench]
$(VENV)/.with-bench: SIZE := about 1.2 GB, with torch for the CPU

$(VENV)/.with-%: pyproject.toml | $(VENV)/.made
	@echo "Installing into $(VENV): $* ($(SIZE))"
	@$(BIN)/python -m pip install --quiet $(PIP_FLAGS) --editable '.$(EXTRAS)'
	@touch $@

# Ray beside what the tests need: it sees the packages of .venv, and adds its own 330 MB to none of them.
$(VENV)-cluster/.made: pyproject.toml $(VENV)/.with-test
	@echo "Installing into $(VENV)-cluster: Ray (about 330 MB)"
	@$(BIN)/python -m venv $(VENV)-cluster
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	  >"$$($(VENV)-cluster/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/arietta.pth"
	@$(VENV)-cluster/bin/python -m pip install --quiet $(PIP_FLAGS) --editable '.[cluster]'
	@touch $@

$(VENV)/.made:
	@for python in $(or $(PYTHON),python3.11 python3 python3.12 python3.13); do \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then lacking=$$python; continue; fi; \
	  $$python -m venv $(VENV) && touch $@ && exit 0; \
	  exit 1; \
	done; \
	if [ -n "$$lacking" ]; then \
	  echo "Arietta: $$lacking cannot make virtual environments. On Debian or Ubuntu: apt install python3-venv" >&2; \
	else \
	  echo "Arietta needs Python 3.11 or newer, and $(or $(PYTHON),python3) is: $$($(or $(PYTHON),python3) --version 2>&1)." >&2; \
	  echo "Install it, or name it: make run PYTHON=/path/to/python3.11" >&2; \
	fi; \
	exit 2
