# Self-supervised distillation of images, from nothing to a table of results.
#
#   make distill                           draw images, train a teacher, distil it, evaluate
#   make check DATA=pictures               show what that would do and what cannot work
#   make distill DATA=pictures TEST=held-out TEACHER=teacher.safetensors SIZE=224
#   make test                              all tests; make test-long before a release
#   make help                              everything else

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-builtin-rules
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Setting one of these on the command line would break the recipes or keep the typed settings from being passed on.
# `plan` rejects other unknown variables.
$(foreach variable,MAKEFLAGS MAKEOVERRIDES SHELL .SHELLFLAGS CURDIR,$(if $(filter command,$(firstword $(origin $(variable)))),$(error $(variable) is no setting of a run: leave it out)))

override BIN := $(CURDIR)/.build/release
override export PATH := $(BIN):$(PATH)

TOOLS := augment embed queue-loss train-step evaluate report nightly neighbours inspect synthesize initialize convert-weights tap fan-out merge-shards plan benchmark
PACKAGES := libopenblas-dev:openblas libarchive-dev:libarchive libturbojpeg0-dev:libturbojpeg libjpeg-dev:libjpeg libzstd-dev:libzstd libsqlite3-dev:sqlite3

.PHONY: help dependencies build test install

#: help            this list
help:
	@echo 'Targets:'
	@sed -n 's/^#: /  /p' Makefile pipelines/defaults.mk pipelines/experiments.mk
	@echo
	@echo 'Settings (make distill SETTING=value), kept for the run NAME until they are changed:'
	@if [ -x '$(BIN)/plan' ]; then plan settings | sed 's/^/  /'; else echo '  they are listed here after make build'; fi

#: dependencies    install missing libraries and pkg-config (apt-get)
dependencies:
	@pipelines/install-dependencies $(PACKAGES)

#: mpi             install Open MPI, for epochs on several machines (docs/scale.md); nothing else needs it
.PHONY: mpi
mpi:
	@pipelines/install-dependencies libopenmpi-dev:ompi-c openmpi-bin:ompi-c

#: build           build all tools, optimised for this machine, into .build/release
# BUILD=no uses the tools as they are. The tests do this, because `swift test` holds the lock of the build folder while
# they run.
BUILD := yes
ifeq ($(BUILD),no)
build:
else
build: dependencies
	@[ -x '$(BIN)/plan' ] || echo 'make: building the tools, three to four minutes the first time' >&2
	@$(SWIFT_BUILD) $(if $(CI),2>&1,--quiet)
endif

# MPI ranks (docs/scale.md) if MPI is installed; nothing else needs it.
export SEED_MPI := $(shell pkg-config --exists ompi-c 2> /dev/null && echo 1)

# Without colours. Otherwise the flags would depend on whether the output is a terminal, and a build from cron and one
# from a terminal would invalidate each other.
SWIFT_BUILD := swift build --no-color-diagnostics --configuration release

# The tests of code that reads and writes memory by hand, and all exit tests (tests that end a process of their own).
# swift-testing waits for an exit test in a thread that looks at any child of the process that has ended. A zombie of
# another origin hides all other children, and the thread polls for ever. So these tests run in one process, and tests
# that start the tools in another. Tests/run enforces this split and a time limit.
ENGINE_TESTS := '^(KernelsTests|LayersTests|LossesTests|NetworksTests|OptimizersTests|ParallelTests)\.'

#: test            build and run all tests (about five minutes); FILTER='RestartTests|CommitTests' runs only these
#: test-long       all tests with many more kills, truncations, bit flips and memory limits, at other places each time (45 minutes);
#:                 run it before a release; TEST_SEED=n repeats a run
SANITIZED_TESTS := '^(KernelsTests|LayersTests|LossesTests|NetworksTests|OptimizersTests|ParallelTests|ImagesTests|EvaluationTests)\.'
FILTER :=
TEST_SEED := $(shell date +%s)
.PHONY: test-long test-build
test test-long: test-build
	$(if $(filter test-long,$@),@SEED_TEST_LONG='$(TEST_SEED)',@) Tests/run $(ENGINE_TESTS) '$(FILTER)'

test-build: build
	@$(SWIFT_BUILD) --build-tests $(if $(CI),2>&1,--quiet)

#: test-slurm      run distill-slurm on a Slurm cluster of three nodes that the test starts on this machine (as root, four minutes);
#:                 installs Slurm if it is missing
.PHONY: test-slurm
test-slurm: build
	@Tests/slurm/run

#: test-hosts      measure a step on two hosts joined by ever slower links, and compare it with the model in docs/scale.md
#:                 (as root, three minutes on an idle machine)
.PHONY: test-hosts
test-hosts: build
	@Tests/hosts/run

#: sanitize        run the tests of numerics, images and evaluation under the address sanitizer, in .build/sanitize
.PHONY: sanitize
sanitize: dependencies
	@$(SWIFT_BUILD) --build-tests --sanitize address --scratch-path .build/sanitize $(if $(CI),,--quiet) 2> >(grep -v ld.gold >&2)
	ASAN_OPTIONS=detect_leaks=0 swift test --configuration release --skip-build --sanitize address --scratch-path .build/sanitize --filter $(SANITIZED_TESTS)

#: test-portable   run the engine's tests built for the oldest processor of this architecture (no AVX), in .build/portable
.PHONY: test-portable
test-portable: export SEED_MARCH ?= $(if $(filter aarch64 arm64,$(shell uname -m)),armv8-a,x86-64)
test-portable: dependencies
	@$(SWIFT_BUILD) --build-tests --scratch-path .build/portable $(if $(CI),2>&1,--quiet)
	swift test --configuration release --skip-build --scratch-path .build/portable --filter $(ENGINE_TESTS)

#: fuzz            fuzz a reader with libFuzzer for FUZZ_SECONDS (600): FUZZ=pickle, zip, npz, safetensors, frame, jpeg, json or archive;
#:                 findings are in .build/fuzz/FUZZ.found
FUZZ ?=
FUZZ_SECONDS ?= 600
FUZZ_READERS := pickle zip npz safetensors frame jpeg json archive
FUZZ_SEEDS = $(CURDIR)/Tests/golden
FUZZ_SEEDS_pickle = torch-legacy.pth
FUZZ_SEEDS_zip = torch-zip.pth
FUZZ_SEEDS_npz = arrays.npz arrays-deflated.npz
FUZZ_SEEDS_safetensors = vector.safetensors unaligned.safetensors every-type.safetensors every-type.safetensors.zst
FUZZ_SEEDS_frame = vector.tensors.zst foreign.tensors.zst
FUZZ_SEEDS_json = vector.json
# Check the name before anything is built.
.PHONY: fuzz fuzz-reader
build: | $(if $(filter fuzz,$(MAKECMDGOALS)),fuzz-reader)
fuzz-reader:
	@$(if $(and $(filter 1,$(words $(FUZZ))),$(filter $(FUZZ_READERS),$(FUZZ))),:,echo 'make: $(if $(FUZZ),FUZZ=$(subst ','\'',$(FUZZ)): there is no such reader,FUZZ is not given: it names a reader); there are $(FUZZ_READERS)' >&2; exit 64)

fuzz: fuzz-reader build
	@SEED_FUZZ=1 $(SWIFT_BUILD) --sanitize fuzzer --scratch-path .build/fuzz --product fuzz $(if $(CI),2>&1,--quiet)
	@mkdir -p .build/fuzz/'$(FUZZ)'.corpus .build/fuzz/'$(FUZZ)'.found
	@$(if $(FUZZ_SEEDS_$(FUZZ)),cp $(FUZZ_SEEDS_$(FUZZ):%=$(FUZZ_SEEDS)/%) .build/fuzz/'$(FUZZ)'.corpus)
	@$(if $(filter jpeg archive,$(FUZZ)),rm -rf .build/fuzz/seeds && synthesize --classes 2 --train 4 --test 2 --shards 1 --size 16 --quiet -o .build/fuzz/seeds)
	@$(if $(filter jpeg,$(FUZZ)),for file in .build/fuzz/seeds/*/*.tar; do tar -xf $$file -C .build/fuzz/seeds; done; n=0; for file in .build/fuzz/seeds/*/*.jpg; do cp $$file .build/fuzz/jpeg.corpus/$$((n += 1)).jpg; done)
	@$(if $(filter archive,$(FUZZ)),cp .build/fuzz/seeds/*/*.tar .build/fuzz/archive.corpus)
	SEED_FUZZ_READER='$(FUZZ)' .build/fuzz/release/fuzz -max_total_time='$(FUZZ_SECONDS)' -timeout=60 -rss_limit_mb=2048 -malloc_limit_mb=1024 -print_final_stats=1 \
	  -artifact_prefix=.build/fuzz/'$(FUZZ)'.found/ .build/fuzz/'$(FUZZ)'.corpus

#: install         copy the tools to PREFIX/bin (PREFIX=/usr/local), with manual pages and completions for bash, zsh and fish
PREFIX ?= /usr/local
DESTDIR ?=
CI ?=
SHARE = $(DESTDIR)$(PREFIX)/share
install: build manuals
	install -d $(DESTDIR)$(PREFIX)/bin $(SHARE)/man/man1 $(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions $(SHARE)/fish/vendor_completions.d
	install $(addprefix $(BIN)/,$(TOOLS)) $(DESTDIR)$(PREFIX)/bin
	install -m 644 .build/manuals/*.1 $(SHARE)/man/man1
	for tool in $(TOOLS); do \
	  "$$tool" --generate-completion-script bash > $(SHARE)/bash-completion/completions/$$tool; \
	  "$$tool" --generate-completion-script zsh > $(SHARE)/zsh/site-functions/_$$tool; \
	  "$$tool" --generate-completion-script fish > $(SHARE)/fish/vendor_completions.d/$$tool.fish; \
	done

#: manuals         generate the tools' manual pages into .build/manuals
.PHONY: manuals
manuals: build
	@mkdir -p .build/manuals
	@swift package --disable-sandbox --allow-writing-to-package-directory generate-manual --configuration release > .build/manuals/log 2>&1 || { cat .build/manuals/log >&2; exit 70; }
	@for tool in $(TOOLS); do cp .build/plugins/GenerateManual/outputs/$$tool/$$tool.1 .build/manuals/; done

#: bench           measure training and embedding speed on this machine (NETWORKS='resnet18 resnet50', BENCH_OPTIONS='--only train');
#:                 PEERS=1 compares with PyTorch, onnxruntime and OpenVINO, which it installs into .build/peers
PEERS ?=
NETWORKS ?=
BENCH_OPTIONS ?=
PEERS_COMMAND := .build/peers/bin/python pipelines/peers.py
.PHONY: bench
bench: build $(if $(PEERS),.build/peers/installed)
	@mkdir -p .build/bench
	@TORCHINDUCTOR_CACHE_DIR='$(CURDIR)/.build/bench/compiled' benchmark $(NETWORKS) $(BENCH_OPTIONS) --output .build/bench/measurements.jsonl \
	  $(if $(PEERS),--peers '$(PEERS_COMMAND)' --messages .build/bench/peers.log) | tee .build/bench/table.txt

.build/peers/installed: pipelines/conf/peers.txt
	@echo 'make: installing what to compare with into .build/peers (some gigabytes)' >&2
	@rm -rf .build/peers && python3 -m venv .build/peers || { echo 'make: python3 -m venv fails; on Debian: apt-get install python3-venv' >&2; exit 69; }
	@.build/peers/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# Variables typed on the command line are data for `plan`, which reads them from MAKEFLAGS. make must not export them to
# programs, because it would expand them.
unexport $(filter-out SEED_MARCH,$(foreach v,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(v)))),$(v))))

#: distill         from images to teacher, student and table; resumes where it was stopped
#: pretrain        train a network by a METHOD without a teacher; it can be a teacher later: METHOD=moco-v2 STUDENT=resnet50 DATA=pictures
#: finetune        train a classifier from a trained network, with all labels or a share of them, optionally with a teacher:
#:                 FROM=runs/pictures DATA=pictures TEST=held-out [LABELS=0.1] [METHOD=kd TEACHER=classifier.safetensors]
#: check           say what distill would do and what cannot work; changes nothing
#: stage           run one stage alone: NAME=x STAGE=student.7 [SHOW=1] [TAP=2]
#: distill-slurm   distill as Slurm jobs that wait for each other and requeue themselves: PARTITION=cpu NODES=4 BATCH_GROUPS=8 … (docs/scale.md)
#: shard           make one part of the features of a trained run, for several machines: NAME=x SHARD=3/8; the next distill merges them
#: report          write runs/x/report.html of the run NAME=x, finished or not; distill writes it at the end
#: status          show the progress of the runs in RUNS, or of the run NAME: what is done, what is running, the time left
#: compare         NAMES='a b c': one table and one page, runs/compare.html, of several runs, with the settings that differ
#: nightly         evaluate the newest checkpoint of every run in RUNS, record it in HISTORY (runs/.nightly/history.sqlite), and exit non-zero
#:                 if a result fell by more than chance [ON_FALL='mail -s fallen me@example.org'] [PROMETHEUS=seed.prom] (docs/nightly.md)
.PHONY: distill pretrain finetune check stage distill-slurm shard report compare nightly
distill pretrain finetune check stage distill-slurm shard report compare nightly: build
	+@plan $@ --pipelines pipelines --make '$(MAKE)'

.PHONY: status
status: build
	+@plan status

#: evaluate        the same as distill: what is up to date is not made again
.PHONY: evaluate
evaluate: distill

#: clean           remove what killed tools left unfinished in the runs
#: distclean       remove what was built
.PHONY: clean distclean
clean:
	@if [ -x '$(BIN)/plan' ]; then plan clean; fi

distclean:
	rm -rf .build

include pipelines/defaults.mk pipelines/experiments.mk
