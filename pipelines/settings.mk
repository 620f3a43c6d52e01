# What all stages have in common.
#
# make is in the run's folder here. `plan` has checked all settings, written them to options/ (a line is an argument, which the tools read by @FILE), linked
# data/train, data/test and teacher.safetensors to what was given, and started make with plain numbers and words:
#
#   EPOCHS, TEACHER_EPOCHS    how many epochs
#   PICTURES, TEACHER         drawn or given; trained, given, program or none
#   PARTS, PROTOCOLS         the images that networks are judged by, train and test, or train where there are no labels; and how, the quickest first
#   HEAD                      what heads are judged as: embedding, or classifier
#   TEACHERS                  the teachers' names: teacher, teacher-b …; empty for none
#   STUDENTS                  the students' names: student, student-resnet50 …
#   STORE                     after so many epochs the same views come again, with the teacher's rows that were kept; empty: never
#   BAGS                      bags, where the method draws from images that are near to each other; else empty
#   PROBE                     epochs of a student after which it is judged, again and again; empty: at the end alone
#   EXPORT                    the kinds of files of the students for other programs
#   RANKS, GROUPS             yes where epochs are done by several ranks, which launch starts; the groups of a batch that they share
#   SHARD                     3/8: the part of the features that is made; else empty
#   ALONE                     yes: one stage alone, whatever it follows from
#
# A stage is done when done/STAGE is there, which `plan` removes when it does not belong to the settings, the data or the files any more. So
# everything stands behind a bar (order-only): no clock decides anything.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := judged

.PHONY: judged until-teacher until-students

# $(call numbers,N): 1 … N, asked for once.
numbers = $(or $(numbers.$(1)),$(eval numbers.$(1) := $(shell seq $(1)))$(numbers.$(1)))
# In the recipe of an epoch: the number of the one before, which is also how many epochs there are before it.
before = $(shell expr $* - 1)

# $(call ranked,PIPELINE): a pipeline as it is started, by one process or by several; and what its first and last tool are told then.
ranked = $(if $(RANKS),launch '$(1)',$(1))
SLICE  = $(if $(RANKS),--slice auto --slice-groups $(GROUPS))
MPI    = $(if $(RANKS),--mpi @options/ranks)

# $(call follow,STAGE,STAGES): STAGE comes after STAGES.
follow = $(if $(ALONE),,$(eval done/$(1): | $(addprefix done/,$(2))))
# $(call chain,NETWORK,N,STAGES): the epochs 1 … N of a network, one after the other and all after STAGES.
chain = $(foreach n,$(call numbers,$(2)),$(call follow,$(1).$(n),$(1).$(word $(n),0 $(call numbers,$(2))) $(3)))
