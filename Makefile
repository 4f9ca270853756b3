# `make app` serves the page, `make test` proves the project; `make venv` prepares .venv alone.
# `make space-check` installs everything anew and serves it as a Hugging Face Space does: minutes, and a package index.
PYTHON ?= $(shell for p in python3.11 python3.12 python3; do command -v $$p && break; done)
PIP := .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_EXTRA)
# Processes that share the tests. All that drive the browser are in one (tests/conftest.py): more than two bring little.
WORKERS ?= 2
TORCH := $(shell grep -E '^torch==' constraints.txt)

.PHONY: app venv test space-check chromium clean audit

app: venv
	.venv/bin/python app.py

venv: .venv/.ready

# torch first and alone: a CPU build that is offered under the exact version is then kept by all that follows.
# Last a short clip is analysed: what librosa and the kernels compile at their first use would else be waited for by
# whoever comes first.
.venv/.ready: requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 12) else f"Python 3.11 or 3.12 is needed, $(PYTHON) is {v[0]}.{v[1]}: run make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(PIP) "$(TORCH)"
	$(PIP) -r requirements.txt
	-HF_HUB_OFFLINE=1 .venv/bin/python -c 'from app.service import warm; warm()'
	@touch $@

.venv/.ready-dev: .venv/.ready requirements-dev.txt
	$(PIP) -r requirements-dev.txt
	@touch $@

test: .venv/.ready-dev chromium
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	HF_HUB_OFFLINE=1 .venv/bin/python -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder

space-check: .venv/.ready-dev
	SPACE_CHECK=1 .venv/bin/python -m pytest -m space tests/app/test_space.py

# Asks the advisory service about the pinned versions, as tests/test_audit.py does; one that it does not know ends it (--strict).
# pip-audit lives apart, since its own needs are no part of the project.
audit: .venv/.ready
	test -x .audit/bin/pip-audit || { $(PYTHON) -m venv .audit && .audit/bin/python -m pip install --quiet pip-audit; }
	.audit/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off -r constraints.txt

# The browser test drives Debian's chromium; where it cannot be installed that test is skipped and says why.
chromium:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } \
		|| echo "chromium is missing and cannot be installed here: the browser test will be skipped"

clean:
	rm -rf .venv .audit build .pytest_cache .mypy_cache .ruff_cache .hypothesis
