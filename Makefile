# Every target first installs what it needs; what is installed already costs nothing. Works with GNU make 3.81.
PY := .venv/bin/python
NODE_MODULES := node_modules/.package-lock.json
NODE_TESTING := .venv/.testing-node
RUNTIME := .venv/.runtime
TESTING := .venv/.testing
FUZZING := .venv/.fuzzing
TAGGER := .venv/.tagger
LIBROSA := .venv/.librosa
LOAD := .venv/.load/.made
DRILL := .venv/.drill/.made
# What the pages of help are made of.
HELP := docs/_build/help/index.html
HELP_SOURCES := $(wildcard *.md docs/*.* docs/*/* classifier/releases/*/*.md genreweb/settings.py) requirements-docs.txt tools/build_help.sh
# Each process has its own database and queue; a file's tests share fixtures, so they stay together.
PARALLEL := --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# A page mostly waits; each process has a site of its own.
BROWSERS := --numprocesses 2 --dist loadgroup --no-loadscope-reorder
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: docs pictures help install run dev demo test test-fast lint e2e e2e-firefox bench bench-scale load drill fuzz messages audit lock clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

install: $(RUNTIME) $(TAGGER) $(LIBROSA) $(NODE_MODULES) $(HELP) ## Install what the site runs on

run: $(RUNTIME) $(TAGGER) $(LIBROSA) $(NODE_MODULES) $(HELP) ## Run the whole site (PORT, HOST and GENREWEB_VAR choose where; VERBOSE=1 tells all)
	@exec $(PY) -m genreweb.embedded run $(if $(VERBOSE),--verbose)

dev: $(TESTING) $(TAGGER) $(LIBROSA) $(NODE_MODULES) $(HELP) ## Run the site for development: DEBUG, one log, changed code is loaded at once
	@exec $(PY) -m genreweb.embedded run --dev

demo: $(RUNTIME) $(TAGGER) $(LIBROSA) $(NODE_MODULES) $(HELP) ## Run a site in var-demo/ with generated songs and two people, ready to click
	@GENREWEB_VAR=var-demo $(PY) manage.py demo
	@GENREWEB_VAR=var-demo exec $(PY) -m genreweb.embedded run

test: $(TESTING) $(TAGGER) $(LIBROSA) $(NODE_TESTING) $(HELP) ## Run every test but those in a browser, in parallel (ARGS="-k name" chooses some)
	@exec $(PY) -m pytest $(PARALLEL) $(ARGS)

test-fast: $(TESTING) $(TAGGER) $(LIBROSA) $(NODE_TESTING) $(HELP) ## Run the tests that take no more than half a second each
	@exec $(PY) -m pytest $(PARALLEL) -m "not slow" $(ARGS)

lint: $(TESTING) $(NODE_MODULES) ## Check style, types and that no migration is missing
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) manage.py makemigrations --check --dry-run

e2e: $(TESTING) $(TAGGER) $(LIBROSA) $(NODE_TESTING) $(HELP) ## Run the tests in a real browser (CHROMIUM names one that is not on the PATH)
	@exec $(PY) -m pytest e2e $(BROWSERS) $(ARGS)

e2e-firefox: $(TESTING) $(TAGGER) $(LIBROSA) $(NODE_TESTING) $(HELP) ## Run them in Firefox, but what only Chromium can (FIREFOX names one that is not on the PATH)
	@exec $(PY) -m pytest e2e --firefox $(BROWSERS) $(ARGS)

docs: $(RUNTIME) ## Make the pages of help anew; fails where a link is broken
	@sh tools/build_help.sh

pictures: $(TESTING) $(TAGGER) $(NODE_TESTING) ## Make the pictures of the help pages, and sheets of every page in var/pictures/ (ARGS="-k guide")
	@exec $(PY) -m pytest e2e/test_pictures.py --pictures $(ARGS)

bench: $(TESTING) $(TAGGER) $(LIBROSA) $(NODE_MODULES) ## Measure, and write var/bench.json
	@exec $(PY) -m genreweb.bench $(ARGS)

bench-scale: $(TESTING) $(TAGGER) $(LIBROSA) ## Measure up to a million synthetic tracks, and write var/bench-scale.png (ARGS="--most 100000")
	@exec $(PY) -m genreweb.bench_scale $(ARGS)

load: $(TESTING) $(TAGGER) $(LIBROSA) $(NODE_MODULES) $(LOAD) ## Send 50 people to a site of its own, and say how long they wait (ARGS="--training")
	@exec $(PY) -m genreweb.load $(ARGS)

drill: $(TESTING) $(TAGGER) $(LIBROSA) $(NODE_MODULES) $(DRILL) ## Break a site of its own on purpose, and say what was lost (ARGS="--uploads 1000")
	@exec $(PY) -m genreweb.drills $(ARGS)

fuzz: $(FUZZING) $(TAGGER) $(LIBROSA) $(NODE_MODULES) ## Send a site of its own what its API's schema allows and what not (ARGS="--examples 50")
	@exec $(PY) -m genreweb.fuzz $(ARGS)

messages: $(TESTING) $(NODE_MODULES) ## Bring the translations up to date with the code (needs GNU gettext)
	@$(PY) manage.py makemessages --locale ko --no-location --no-obsolete \
		$(foreach folder,.venv var var-demo node_modules e2e tools */tests/*,--ignore '$(folder)')
	@$(PY) -m genreweb.api_translations
	@$(PY) manage.py compilemessages --locale ko --ignore .venv

audit: $(TESTING) ## Look through the lock files for versions with known weaknesses, where a list can be had
	@$(PY) tools/audit.py

lock: $(TESTING) ## Pin the newest versions that requirements*.in allow
	@$(PY) tools/lock.py $(ARGS)

clean: ## Remove what was installed; data under var/ stay
	rm -rf .venv node_modules

# A Python is looked for only where none was chosen yet.
.venv/.made:
	@sh tools/make_venv.sh

$(RUNTIME): requirements.txt .venv/.made
	@echo "Installing the Python packages (some minutes the first time)"
	@sh tools/pip_install.sh requirements.txt
	@touch $@

# Made anew only when the weights or their conversion change; where it cannot be made, that is said and no failure.
$(TAGGER): requirements-tagger.txt tools/install_tagger.sh $(wildcard classifier/fitting/tagger/*.py) | $(RUNTIME)
	@echo "Converting the pre-trained tagger (half a minute, once)"
	@sh tools/install_tagger.sh

# Where they cannot be made, that is said and no failure.
$(HELP): $(HELP_SOURCES) | $(RUNTIME)
	@echo "Making the pages of help"
	@sh tools/build_help.sh --optional

# Numba compiles what is used of librosa, so that no first summary waits for it.
$(LIBROSA): tools/compile_librosa.py $(RUNTIME)
	@echo "Compiling what is used of librosa (half a minute, once)"
	@$(PY) tools/compile_librosa.py
	@touch $@

$(TESTING): requirements-dev.txt $(RUNTIME)
	@echo "Installing what the tests and the linters need"
	@sh tools/pip_install.sh requirements-dev.txt
	@touch $@

$(FUZZING): requirements-fuzz.txt $(TESTING)
	@echo "Installing what makes the requests"
	@sh tools/pip_install.sh requirements-fuzz.txt
	@touch $@

# Apart from the packages of the site, which it must not change.
$(LOAD): requirements-load.txt | $(TESTING)
	@echo "Installing Locust, which plays the people"
	@$(PY) -m uv venv --quiet --clear --python $(PY) .venv/.load
	@$(PY) -m uv pip install --quiet --python .venv/.load --require-hashes --requirement requirements-load.txt
	@touch $@

# Without it one fault is left out, and the drill says so.
$(DRILL): requirements-drill.txt | $(TESTING)
	@$(PY) -m uv venv --quiet --clear --python $(PY) .venv/.drill
	@$(PY) -m uv pip install --quiet --python .venv/.drill --require-hashes --requirement requirements-drill.txt >.venv/.drill/log 2>&1 \
		|| echo "  libfaketime cannot be built here (see .venv/.drill/log)"
	@touch $@

$(NODE_MODULES): package-lock.json package.json .venv/.made
	@echo "Fetching the front-end libraries"
	@sh tools/npm_ci.sh --omit=dev
	@touch $@

$(NODE_TESTING): package-lock.json package.json .venv/.made
	@echo "Fetching what the tests need from npm"
	@sh tools/npm_ci.sh
	@touch $(NODE_MODULES) $@
