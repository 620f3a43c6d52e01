# Tables of many runs: all methods side by side, and the paper's ablations in small. A run's result is a file of its own, so that the work goes on where it was stopped.

#: compare-methods methods on the same images: DATA=, TEST=, TEACHER= [SIZE=64 EPOCHS=12 SEEDS=3 STUDENTS='resnet18 mobilenet-v3-large' BATCH=64 FOLDER=runs/compared]; FOLDER/table.md
#: ablate          queue, temperatures, teachers and views of SEED, likewise (SIZE=128 FOLDER=runs/ablation)
#:                 EXPERIMENTS_FIRST=8 does the next eight runs only, EXPERIMENTS_LIST=1 says which there are, done or not
EXPERIMENTS_FIRST ?=
EXPERIMENTS_LIST ?=
.PHONY: compare-methods ablate
compare-methods ablate: build
	@python3 pipelines/experiments.py $@ $(if $(EXPERIMENTS_FIRST),--first='$(EXPERIMENTS_FIRST)') $(if $(EXPERIMENTS_LIST),--list)
