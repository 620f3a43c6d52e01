# Evaluates the default settings: students of two networks learn from four data sets with four learning rates, at four
# combinations of batch size and number of images. Each run's result is a separate file in docs/defaults, so the work
# can resume on any machine.

#: defaults        evaluate the defaults on four data sets (10 hours on two cores; resumes where it was stopped); docs/defaults.md
#:                 DEFAULTS_FIRST=8 does only the next eight runs
DEFAULTS_FIRST ?=
DEFAULTS := .build/defaults
DEFAULTS_SETS := objects glyphs emoji textures
DEFAULTS_PYTHON := $(DEFAULTS)/python/bin/python

.PHONY: defaults
.PRECIOUS: $(DEFAULTS)/%/learn.tar $(DEFAULTS)/%/teacher.safetensors
defaults: $(DEFAULTS_SETS:%=$(DEFAULTS)/%/teacher.safetensors) .build/teachers/efficientnet-lite0.safetensors | build
	@python3 pipelines/defaults/grid.py run $(if $(DEFAULTS_FIRST),--first '$(DEFAULTS_FIRST)')
	@python3 pipelines/defaults/grid.py table
	@sed -n '/^\*\*/p' docs/defaults.md

# The textures teacher is trained first. The others start from it, which saves them the first epochs, in which a network
# learns little.
$(DEFAULTS)/textures/teacher.safetensors: $(DEFAULTS)/textures/learn.tar | build
	@echo 'make: teaching textures' >&2
	@pipelines/defaults/teach $(DEFAULTS)/textures

$(DEFAULTS)/%/teacher.safetensors: $(DEFAULTS)/%/learn.tar $(DEFAULTS)/textures/teacher.safetensors | build
	@echo 'make: teaching $*' >&2
	@pipelines/defaults/teach $(DEFAULTS)/$* $(DEFAULTS)/textures/teacher.safetensors

.build/teachers/efficientnet-lite0.safetensors: | build
	@pipelines/fetch-teacher efficientnet-lite0 .build/teachers

# The packages and Pillow are needed only if images are missing, so they are not prerequisites.
$(DEFAULTS)/%/learn.tar:
	@$(MAKE) --no-print-directory $(DEFAULTS)/packages/fetched $(DEFAULTS)/python/installed
	@echo 'make: drawing $*' >&2
	@$(DEFAULTS_PYTHON) pipelines/defaults/draw.py $* --packages $(DEFAULTS)/packages -o $(DEFAULTS)/$*

$(DEFAULTS)/packages/fetched: pipelines/defaults/packages.txt
	@pipelines/defaults/fetch $< $(DEFAULTS)/packages
	@touch $@

$(DEFAULTS)/python/installed: pipelines/defaults/requirements.txt
	@rm -rf $(DEFAULTS)/python && python3 -m venv $(DEFAULTS)/python || { echo 'make: python3 -m venv fails; on Debian: apt-get install python3-venv' >&2; exit 69; }
	@$(DEFAULTS_PYTHON) -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@
