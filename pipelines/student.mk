# The students: epochs run one after the other; all students run an epoch side by side.

# $(call begin,STUDENT)
define begin
done/$(1).0:
	@stage $(1).0 "initialize @options/$(1).begin -o $(1).0.safetensors"

# Keep a finished epoch if make is stopped during another student's epoch.
.PRECIOUS: done/$(1).%
done/$(1).%:
	@$$(call epoch,$$(left))

# The network alone, for PyTorch and other readers.
done/$(1):
	@stage $(1) "convert-weights $(1).$(EPOCHS).safetensors -o $(1).safetensors --quiet"

# The same for other programs, as EXPORT lists.
done/onnx$(1:student%=%):
	@stage onnx$(1:student%=%) "convert-weights $(1).safetensors -o $(1).onnx --quiet"

done/torch$(1:student%=%):
	@stage torch$(1:student%=%) "convert-weights $(1).safetensors -o $(1).pth --quiet"

$(call follow,$(1),$(1).$(EPOCHS))
$(foreach e,$(EXPORT),$(call follow,$(e)$(1:student%=%),$(1)))
endef
$(foreach s,$(STUDENTS),$(eval $(call begin,$(s))))

# The number of the stored rows that each epoch 1 … EPOCHS learns from, if rows are stored: 1 … STORE, repeated.
stored := $(if $(STORE),$(foreach i,$(call numbers,$(shell expr $(EPOCHS) / $(STORE) + 1)),$(call numbers,$(STORE))))

# The epochs after which students are evaluated during training. $(call probes,N): the evaluations after the students'
# epoch N, if any.
quickest := $(firstword $(PROTOCOLS))
probed := $(if $(PROBE),$(shell seq $(PROBE) $(PROBE) $$(($(EPOCHS) - 1))))
probes = $(if $(filter $(1),$(probed)),$(STUDENTS:%=evaluation.%.$(1).$(quickest)))

# The first student's epoch comes after the previous epoch of all students. Each other student's epoch comes after the
# same epoch of the student before it, whose recipe runs as many students as it can.
first := $(firstword $(STUDENTS))
$(foreach n,$(call numbers,$(EPOCHS)),$(call follow,$(first).$(n),\
  $(STUDENTS:%=%.$(word $(n),0 $(call numbers,$(EPOCHS)))) $(call probes,$(word $(n),0 $(call numbers,$(EPOCHS)))) $(addprefix store.,$(word $(n),$(stored))) $(TEACHER_DONE) $(PICTURES_DONE) $(BAGS)))
$(foreach i,$(call numbers,$(words $(wordlist 2,1000000,$(STUDENTS)))),$(foreach n,$(call numbers,$(EPOCHS)),\
  $(call follow,$(word $(i),$(wordlist 2,1000000,$(STUDENTS))).$(n),$(word $(i),$(STUDENTS)).$(n))))

# In an epoch's recipe: the students that have not finished this epoch.
left = $(if $(ALONE),$(basename $(@F)),$(strip $(foreach s,$(STUDENTS),$(shell [ -e done/$(s).$* ] || echo $(s)))))

# The number of the stored rows that the epoch learns from, and the option of augment for repeated views.
number = $(shell expr \( $* - 1 \) % $(STORE) + 1)
again  = $(if $(STORE),$(shell [ $* -le $(STORE) ] || echo --repeat $(STORE)))

# The teachers' part of the pipeline, if the method needs teachers. $(call embed,TEACHER): the command for one teacher.
embed = embed @options/$(1).embed @options/$(1).rows @options/threads
taught = $(if $(STORE),embed --stored store/teacher.$(number).tensors.zst @options/threads --quiet |,$(foreach t,$(TEACHERS),$(call embed,$(t)) --quiet |))

# $(call learn,STUDENT)
learn = train-step - $(MPI) @options/student.train @options/threads @options/interim --interim $(1).$*.interim.safetensors --epochs $(EPOCHS) --log log/$(1).$*.jsonl \
  --student $(1).$(before).safetensors -o $(1).$*.safetensors

# $(call epoch,STUDENTS): the epoch of one student, or of several that share a stream. With several ranks, each rank has
# one MPI process, so the students learn one after the other.
epoch = $(if $(1),$(if $(word 2,$(1)),$(if $(RANKS),$(foreach s,$(1),$(call alone,$(s).$*,$(s));),$(call together,students.$*,$(1))),$(call alone,$(1).$*,$(1))),:)
views = augment --data data/train $(SLICE) @options/student.augment @options/threads --epoch $(before) $(again) $(2:%=--resume %.$*.interim.safetensors) --report log/$(1).images.json --quiet | $(taught)
alone = stage $(1) "$(call ranked,$(call views,$(1),$(2)) $(call learn,$(2)))"
together = stage $(1) "$(call views,$(1),$(2)) fan-out --ended log/$(1).ended $(foreach s,$(2),-- $(call learn,$(s)))" $(2:%=%.$*)

# The teachers' rows for an epoch's views; the last teacher writes the file.
before_last = $(wordlist 2,$(words $(TEACHERS)),- $(TEACHERS))
done/store.%:
	@stage store.$* "augment --data data/train @options/student.augment @options/threads --epoch $(before) --report log/store.$*.images.json --quiet | \
	  $(foreach t,$(before_last),$(call embed,$(t)) --quiet |)$(call embed,$(lastword $(TEACHERS))) @options/teacher.store --timing log/store.$*.json -o store/teacher.$*.tensors.zst"

$(foreach n,$(sort $(stored)),$(call follow,store.$(n),$(TEACHER_DONE) $(PICTURES_DONE) $(BAGS)))

# Each image's nearest images by the teacher's features, if the method samples from them.
$(if $(BAGS),$(call follow,bags,$(TEACHER_DONE) $(PICTURES_DONE)))
done/bags:
	@stage bags "augment --data data/train @options/bags.augment @options/threads --quiet | \
	  embed --weights teacher.safetensors --features --drop images @options/threads --quiet | neighbours @options/threads --quiet --timing log/bags.json -o bags.safetensors"

judged: | $(foreach s,$(STUDENTS),$(EXPORT:%=done/%$(s:student%=%)))

# For UNTIL=students.
until-students: | $(STUDENTS:%=done/%)
	@echo "training is done; all files are in $$SEED_RUN"
