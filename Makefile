# The course's front door. Works with GNU make 3.81 (macOS) and newer; everything lands in .venv.
PYTHON ?= python3
BIN := .venv/bin
# One thread a process (two processes that each spin two threads on two cores are far slower), no network,
# and .venv first on the PATH, for nbgrader calls alembic by name.
ONE_THREAD := env OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 COURSE_THREADS=1 TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1 \
	PATH="$(CURDIR)/$(BIN):$$PATH"

.PHONY: help setup lab test lint build site bench system lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup:  ## make or update .venv from the lock files
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo "No $(PYTHON) here: install Python 3.11 or newer."; exit 1; }
	@$(PYTHON) install/environment.py

lab: setup  ## open JupyterLab on your own copy of the notebooks (workbook/)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/course lab

test: lint system  ## lint, then run every test on two processes
	@$(ONE_THREAD) $(BIN)/python -m pytest -n 2 --dist loadgroup

lint: setup  ## check the style of the code
	@$(BIN)/ruff check

build: setup  ## build the notebooks from their sources
	@$(BIN)/course build

site: setup  ## build the web edition, and execute the chapters whose code has changed (build/site/index.html)
	@$(ONE_THREAD) $(BIN)/course site

bench: setup  ## compare our LoRA with peft's, side by side
	@$(ONE_THREAD) $(BIN)/python benchmarks/lora.py

system:  ## install what some tests need of the machine where that can be done unasked (Debian, as root)
	@command -v chromedriver >/dev/null 2>&1 && command -v bwrap >/dev/null 2>&1 \
		&& ls -d /usr/lib/postgresql/*/bin >/dev/null 2>&1 && exit 0; \
	if [ "$$(id -u)" = 0 ]; then root=env; else root="sudo -n env"; fi; \
	if grep -q '^ID=debian$$' /etc/os-release 2>/dev/null && $$root true 2>/dev/null \
		&& $$root apt-get update -qq \
		&& $$root DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			chromium chromium-driver fonts-dejavu-core bubblewrap postgresql iproute2; then exit 0; fi; \
	echo "Chromium, bubblewrap or PostgreSQL is missing here, and there is no way to install it unasked: the tests that need"; \
	echo "it will be skipped (in CI: will fail)."
	@[ -d build/hub/node_modules ] && cmp -s install/hub/package-lock.json build/hub/package-lock.json && exit 0; \
	if command -v npm >/dev/null 2>&1 && mkdir -p build/hub && cp install/hub/package*.json build/hub && npm ci --prefix build/hub \
		--ignore-scripts --no-audit --no-fund --fetch-retries=0 --fetch-timeout=30000 >build/hub/npm.log 2>&1; then exit 0; fi; \
	rm -rf build/hub/node_modules; \
	echo "JupyterHub's own proxy is not to be had from npm here: the test of the hub takes its port to Python, from the lock."

lock:  ## resolve the dependencies again (needs uv); see install/lock.py
	@command -v uv >/dev/null 2>&1 || { echo "No uv here: pip install uv, then try again."; exit 1; }
	@$(PYTHON) install/lock.py

clean:  ## remove .venv and all caches; your workbook/ stays
	@rm -rf .venv .venv-discarded build *.egg-info .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
