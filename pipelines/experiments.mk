# Tables of many runs: all methods side by side, and the paper's ablations at a small scale. Each run's result is a
# separate file, so the work resumes where it was stopped.

#: compare-methods all methods on the same images: DATA=, TEST=, TEACHER= [SIZE=64 EPOCHS=12 SEEDS=3 BATCH=64
#:                 STUDENTS='resnet18 mobilenet-v3-large' FOLDER=runs/compared]; writes FOLDER/table.md
#: ablate          the same for SEED's queue, temperatures, teachers and views (SIZE=128 FOLDER=runs/ablation)
#:                 EXPERIMENTS_FIRST=8 does only the next eight runs, EXPERIMENTS_LIST=1 lists all runs and whether they are done
EXPERIMENTS_FIRST ?=
EXPERIMENTS_LIST ?=
.PHONY: compare-methods ablate
compare-methods ablate: build
	@python3 pipelines/experiments.py $@ $(if $(EXPERIMENTS_FIRST),--first='$(EXPERIMENTS_FIRST)') $(if $(EXPERIMENTS_LIST),--list)
