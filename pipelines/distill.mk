# From pictures to a student and its accuracy. Each stage is a file; what is there and up to date is not made again.
#
# A stage depends on the file $(RUN)/options/STAGE, which holds its options and is rewritten only when they change: so a changed option
# redoes what depends on it and nothing else. A checkpoint is one file, renamed into its place when it is whole: so make may be
# stopped at any moment and run again.

.PHONY: distill evaluate

# Names first: without DATA it is the demonstration.
#= NAME            the run; its files are in runs/NAME (default: from DATA's name)
#= DATA            the pictures: folder class/name.jpg, folder of archives, or one tar or zip
RUNS ?= runs
ifeq ($(origin DATA),undefined)
NAME ?= demonstration
else
NAME ?= $(if $(DATA),$(or $(firstword $(subst ., ,$(notdir $(DATA:/=)))),pictures),demonstration)
endif
RUN  := $(RUNS)/$(NAME)
export RUN

# What this run was given before, then the defaults for its kind.
-include $(RUN)/settings.mk
DATA ?=
include pipelines/conf/$(if $(DATA),pictures,demonstration).mk

#= TEST            pictures to evaluate on (default: half of DATA judges what the other half's labels teach; the student sees all, unlabelled)
TEST ?=
#= TEACHER         the teacher's weights, safetensors (default: one is trained)
TEACHER ?=
#= SEED            all that is random follows from it
SEED ?= 0
#= THREADS         threads of each tool (default: all); results do not depend on it
THREADS ?=
#= FLAGS           further options of augment: --allow-bad, --limit N
FLAGS ?=

# Settings that stay with the run.
KEPT := DATA TEST TEACHER STUDENT EPOCHS BATCH SIZE SEED EMBEDDING QUEUE FLAGS TEACHER_NETWORK TEACHER_OBJECTIVE TEACHER_EPOCHS \
	TEACHER_BATCH TEACHER_OPTIONS STUDENT_OPTIONS

ifneq ($(filter distill evaluate,$(MAKECMDGOALS)),)

# $(call quoted,WORDS): as one word of the shell, whatever quotes it has.
quoted = '$(subst ','\'',$(1))'

# What must hold before anything is done.
$(foreach v,NAME RUNS DATA TEST TEACHER,$(if $(word 2,$($(v))),$(error $(v)=$($(v)): make takes no name with spaces; make a link to it that has none)))
$(foreach v,DATA TEST TEACHER,$(if $($(v)),$(if $(wildcard $($(v))),,$(error $(v)=$($(v)): there is no such file or folder))))
$(foreach v,EPOCHS BATCH SIZE EMBEDDING TEACHER_EPOCHS TEACHER_BATCH,$(if $(shell [[ $(call quoted,$($(v))) =~ ^[1-9][0-9]{0,6}$$ ]] && echo whole),,\
  $(error $(v)=$($(v)): a whole number above 0 is expected)))
# Another data set of the same name must not take this run's place unasked.
ifeq ($(origin NAME),file)
$(foreach before,$(shell sed -n 's/^DATA ?= //p' $(RUN)/settings.mk 2> /dev/null),$(if $(filter-out $(DATA),$(before)),\
  $(error $(RUN) is a run on $(before); give one on $(DATA) a NAME of its own, or NAME=$(NAME) to take its place)))
endif

# $(call keep,FILE,LINES): writes LINES, quoted for the shell, to FILE in $(RUN) if it holds anything else. Where make only tells what it
# would do (-n), the file stays and counts as changed.
keep = $(if $(call differs,$(1),$(2)),$(if $(dry),$(eval .PHONY: $(RUN)/$(1)),$(call write,$(RUN)/$(1),$(2))))
differs = $(shell printf '%s\n' $(2) | cmp -s - $(RUN)/$(1) || echo yes)
write = $(shell mkdir -p $(dir $(1)); printf '%s\n' $(2) > $(1).$$$$.part && mv $(1).$$$$.part $(1))
# The letters of make's options are its first word, if that is not a long option.
dry := $(findstring n,$(filter-out -%,$(firstword $(MAKEFLAGS))))
# A setting as make reads it again.
saved = $(subst $(hash),\$(hash),$(subst $$,$$$$,$($(1))))
hash := \#
$(call keep,settings.mk,$(foreach v,$(KEPT),$(call quoted,$(v) ?= $(call saved,$(v)))))

# Where pictures come from.
ifeq ($(DATA),)
TRAIN_DATA := $(RUN)/pictures/train
TEST_DATA  := $(RUN)/pictures/test
PICTURES   := $(RUN)/pictures/classes.txt
TESTED     :=
TRAIN_PART :=
TEST_PART  :=
else
TRAIN_DATA := $(DATA)
TEST_DATA  := $(if $(TEST),$(TEST),$(DATA))
PICTURES   := $(shell [ -f '$(DATA)' ] && echo '$(DATA)')
TESTED     := $(if $(TEST),$(shell [ -f '$(TEST)' ] && echo '$(TEST)'))
TRAIN_PART := $(if $(TEST),,--fold 1/2)
TEST_PART  := $(if $(TEST),,--fold 2/2)
endif

COMMON := $(if $(THREADS),--threads $(THREADS))
VIEWS  := --data $(TRAIN_DATA) --size $(SIZE) --seed $(SEED) --drop-last $(FLAGS)
# A teacher that is given labels must not see those it is judged by.
TAUGHT := $(VIEWS) $(if $(filter supervised-contrastive,$(TEACHER_OBJECTIVE)),$(TRAIN_PART))
PLAIN  := --recipe evaluation --size $(SIZE) --batch 256 $(FLAGS)

$(call keep,options/pictures,$(call quoted,$(SYNTHESIZE_OPTIONS) --seed $(SEED)))
$(call keep,options/teacher.begin,$(call quoted,--network $(TEACHER_NETWORK) --embedding $(EMBEDDING) --seed $(SEED)))
$(call keep,options/teacher,$(call quoted,$(TAUGHT) --batch $(TEACHER_BATCH) --objective $(TEACHER_OBJECTIVE) $(TEACHER_OPTIONS)))
$(call keep,options/student.begin,$(call quoted,--network $(STUDENT) --embedding $(EMBEDDING) --seed $(SEED)))
$(call keep,options/student,$(call quoted,$(VIEWS) --batch $(BATCH) --teacher $(TEACHER) $(if $(QUEUE),--queue-size $(QUEUE)) $(STUDENT_OPTIONS)))
$(call keep,options/features,$(call quoted,--train $(TRAIN_DATA) $(TRAIN_PART) --test $(TEST_DATA) $(TEST_PART) $(PLAIN) --as features embedding))

opt = $(RUN)/options
count = $(shell seq 1 $(1))

# --- pictures ---------------------------------------------------------------------------------------------------------------------
ifeq ($(DATA),)
$(PICTURES): $(opt)/pictures | build
	rm -rf $(RUN)/pictures
	@pipelines/stage pictures $(call quoted,synthesize $(SYNTHESIZE_OPTIONS) --seed $(SEED) $(COMMON) -o $(RUN)/pictures \
	  --sheet $(RUN)/pictures.jpg --timing $(RUN)/log/pictures.json)
endif

# --- teacher ----------------------------------------------------------------------------------------------------------------------
ifeq ($(TEACHER),)
TEACHER_FILE := $(RUN)/teacher.$(TEACHER_EPOCHS).safetensors
TEACHER_LOGS := $(foreach n,$(call count,$(TEACHER_EPOCHS)),$(RUN)/log/teacher.$(n).jsonl)

# The student first: a network of no known name should not be found out after hours of the teacher.
$(RUN)/teacher.0.safetensors: $(opt)/teacher.begin | build $(RUN)/student.0.safetensors
	@pipelines/stage teacher.0 $(call quoted,initialize --network $(TEACHER_NETWORK) --embedding $(EMBEDDING) --seed $(SEED) -o $@)

# $(call teacher-epoch,N - 1,N)
define teacher-epoch
$(RUN)/teacher.$(2).safetensors: $(RUN)/teacher.$(1).safetensors $(opt)/teacher $(PICTURES) | build
	@pipelines/stage teacher.$(2) $(call quoted,augment $(TAUGHT) --views 2 --batch $(TEACHER_BATCH) --epoch $(1) $(COMMON) --quiet | \
	  train-step --objective $(TEACHER_OBJECTIVE) $(TEACHER_OPTIONS) --seed $(SEED) --epochs $(TEACHER_EPOCHS) $(COMMON) \
	    --log $(RUN)/log/teacher.$(2).jsonl --student $$< -o $$@)
endef
$(foreach n,$(call count,$(TEACHER_EPOCHS)),$(eval $(call teacher-epoch,$(shell expr $(n) - 1),$(n))))
.SECONDARY: $(foreach n,$(shell seq 0 $$(($(TEACHER_EPOCHS) - 1))),$(RUN)/teacher.$(n).safetensors)
else
TEACHER_FILE := $(TEACHER)
TEACHER_LOGS :=
endif

# --- student ----------------------------------------------------------------------------------------------------------------------
$(RUN)/student.0.safetensors: $(opt)/student.begin | build
	@pipelines/stage student.0 $(call quoted,initialize --network $(STUDENT) --embedding $(EMBEDDING) --seed $(SEED) -o $@)

# $(call student-epoch,N - 1,N)
define student-epoch
$(RUN)/student.$(2).safetensors: $(RUN)/student.$(1).safetensors $(TEACHER_FILE) $(opt)/student $(PICTURES) | build
	@pipelines/stage student.$(2) $(call quoted,augment $(VIEWS) --batch $(BATCH) --epoch $(1) $(COMMON) --quiet | \
	  embed --weights $(TEACHER_FILE) $(COMMON) --quiet | \
	  train-step $(if $(QUEUE),--queue-size $(QUEUE)) $(STUDENT_OPTIONS) --seed $(SEED) --epochs $(EPOCHS) $(COMMON) \
	    --log $(RUN)/log/student.$(2).jsonl --student $$< -o $$@)
endef
$(foreach n,$(call count,$(EPOCHS)),$(eval $(call student-epoch,$(shell expr $(n) - 1),$(n))))
# All but the last: an old checkpoint that was deleted is made again only if a later one needs it.
.SECONDARY: $(foreach n,$(shell seq 0 $$(($(EPOCHS) - 1))),$(RUN)/student.$(n).safetensors)

$(RUN)/student.safetensors: $(RUN)/student.$(EPOCHS).safetensors
	@convert-weights $< -o $@ --quiet

# --- evaluation -------------------------------------------------------------------------------------------------------------------
# $(call features-of,NAME,WEIGHTS): $(RUN)/features/NAME.train and .test, with features and embeddings, and what evaluate says of them.
define features-of
$(RUN)/features/$(1).%.tensors.zst: $(2) $(opt)/features $(PICTURES) $(TESTED) | build
	@mkdir -p $(RUN)/features
	@pipelines/stage features.$(1).$$* $(call quoted,augment --data $$(if $$(filter train,$$*),$(TRAIN_DATA) $(TRAIN_PART),$(TEST_DATA) $(TEST_PART)) $(PLAIN) $(COMMON) --quiet | \
	  embed --weights $(2) --features $(COMMON) --quiet | \
	  embed --weights $(2) --as embedding --drop images $(COMMON) --timing $(RUN)/log/features.$(1).$$*.json -o $$@)

$(RUN)/evaluation/$(1).%.json: $(RUN)/features/$(1).train.tensors.zst $(RUN)/features/$(1).test.tensors.zst
	@mkdir -p $(RUN)/evaluation
	@pipelines/stage evaluation.$(1).$$* $(call quoted,evaluate $$(patsubst embedding,knn --tensor embedding,$$*) $(COMMON) \
	  --train $(RUN)/features/$(1).train.tensors.zst --test $(RUN)/features/$(1).test.tensors.zst \
	  --timing $(RUN)/log/evaluation.$(1).$$*.json -o $$@ > $(RUN)/evaluation/$(1).$$*.txt)
.PRECIOUS: $(RUN)/features/$(1).train.tensors.zst $(RUN)/features/$(1).test.tensors.zst
endef
$(eval $(call features-of,teacher.$(if $(TEACHER),given,$(TEACHER_EPOCHS)),$(TEACHER_FILE)))
$(eval $(call features-of,student.0,$(RUN)/student.0.safetensors))
$(eval $(call features-of,student.$(EPOCHS),$(RUN)/student.$(EPOCHS).safetensors))

JUDGED  := teacher.$(if $(TEACHER),given,$(TEACHER_EPOCHS)) student.0 student.$(EPOCHS)
JUDGEMENTS := knn linear embedding
results = $(RUN)/evaluation/$(1).knn.json,$(RUN)/evaluation/$(1).linear.json,embedding:$(RUN)/evaluation/$(1).embedding.json
comma := ,
empty :=
space := $(empty) $(empty)
# $(call timed,STAGE,LOGS): the option for those of the logs that are there. A kill between a result and its timing loses the timing.
timed = $(call timed-by,$(1),$(shell ls -d $(2) /dev/null 2> /dev/null | grep -v '^/dev/null'))
timed-by = $(if $(2),--stage '$(1)=$(call join-with-commas,$(2))')
join-with-commas = $(subst $(space),$(comma),$(strip $(1)))

$(RUN)/table.txt: $(foreach j,$(JUDGED),$(foreach e,$(JUDGEMENTS),$(RUN)/evaluation/$(j).$(e).json)) $(RUN)/student.safetensors
	@evaluate table \
	  --row 'teacher=$(call results,$(word 1,$(JUDGED)))' --row 'student before=$(call results,$(word 2,$(JUDGED)))' \
	  --row 'student after=$(call results,$(word 3,$(JUDGED)))' \
	  $(if $(DATA),,$(call timed,drawing pictures,$(RUN)/log/pictures.json)) \
	  $(call timed,training the teacher,$(TEACHER_LOGS)) \
	  $(call timed,distillation,$(foreach n,$(call count,$(EPOCHS)),$(RUN)/log/student.$(n).jsonl)) \
	  $(call timed,features,$(foreach j,$(JUDGED),$(RUN)/log/features.$(j).train.json $(RUN)/log/features.$(j).test.json)) \
	  $(call timed,evaluation,$(foreach j,$(JUDGED),$(foreach e,$(JUDGEMENTS),$(RUN)/log/evaluation.$(j).$(e).json))) \
	  --file 'teacher=$(TEACHER_FILE)' --file 'student=$(RUN)/student.safetensors' \
	  --file 'checkpoint=$(RUN)/student.$(EPOCHS).safetensors' --file 'results=$(RUN)/evaluation' --file 'logs=$(RUN)/log' > $@.$$$$.part && mv $@.$$$$.part $@

#: distill         pictures to teacher, student and table; goes on where it was stopped
distill: $(RUN)/student.safetensors $(RUN)/features/student.$(EPOCHS).test.tensors.zst
	@case "$$(inspect --json $(RUN)/features/student.$(EPOCHS).test.tensors.zst)" in \
	*'"classes":"[]"'*) \
	  echo 'The pictures have no labels, so there is nothing to evaluate with: put them into folders named for their classes, or name TEST.'; \
	  echo 'student: $(RUN)/student.safetensors';; \
	*) $(MAKE) --no-print-directory evaluate;; \
	esac

#: evaluate        k-NN and linear accuracy of the run's teacher and student; the closing table
evaluate: $(RUN)/table.txt
	@cat $<
endif
