# Common to all stages.
#
# make runs in the run's folder here. `plan` has checked all settings, written them to options/ (one argument a line, which the tools read
# as @FILE), linked data/train, data/test and teacher.safetensors to the given files, and started make with plain numbers and words:
#
#   EPOCHS, TEACHER_EPOCHS    numbers of epochs
#   PICTURES, TEACHER         drawn or given; trained, given, program or none
#   PARTS, PROTOCOLS          the images for evaluation: train and test, or only train without labels; the protocols, the fastest first
#   HEAD                      how heads are evaluated: embedding or classifier
#   TEACHERS                  the teachers' names: teacher, teacher-b …; empty for none
#   STUDENTS                  the students' names: student, student-resnet50 …
#   STORE                     the number of epochs after which the views repeat, with the teacher's stored rows; empty: never
#   BAGS                      bags if the method samples from neighbouring images; else empty
#   PROBE                     evaluate a student after every PROBE epochs; empty: only at the end
#   EXPORT                    the file formats to export the students to, for other programs
#   RANKS, GROUPS             RANKS: yes if several ranks, started by launch, share an epoch; GROUPS: the groups of a batch that they share
#   SHARD                     3/8: the shard of the features to compute; else empty
#   ALONE                     yes: run one stage alone, ignoring its prerequisites
#
# A stage is done when done/STAGE exists. `plan` removes that file when it no longer matches the settings, the data or the files. All
# prerequisites are therefore order-only: no timestamp decides anything.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := judged

.PHONY: judged until-teacher until-students

# $(call numbers,N): 1 … N, computed once.
numbers = $(or $(numbers.$(1)),$(eval numbers.$(1) := $(shell seq $(1)))$(numbers.$(1)))
# In an epoch's recipe: the number of the previous epoch, which is also the number of epochs before this one.
before = $(shell expr $* - 1)

# $(call ranked,PIPELINE): the command that starts PIPELINE, in one process or in several ranks. SLICE and MPI are the
# options of its first and its last tool for ranks.
ranked = $(if $(RANKS),launch '$(1)',$(1))
SLICE  = $(if $(RANKS),--slice auto --slice-groups $(GROUPS))
MPI    = $(if $(RANKS),--mpi @options/ranks)

# $(call follow,STAGE,STAGES): STAGE runs after STAGES.
follow = $(if $(ALONE),,$(eval done/$(1): | $(addprefix done/,$(2))))
# $(call chain,NETWORK,N,STAGES): the epochs 1 … N of a network, one after the other, all after STAGES.
chain = $(foreach n,$(call numbers,$(2)),$(call follow,$(1).$(n),$(1).$(word $(n),0 $(call numbers,$(2))) $(3)))
