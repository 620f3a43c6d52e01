# The students: their epochs, one after the other, of all of them side by side.

# $(call begin,STUDENT)
define begin
done/$(1).0:
	@stage $(1).0 "initialize @options/$(1).begin -o $(1).0.safetensors"

# An epoch that is done is not lost where make is stopped in that of another student.
.PRECIOUS: done/$(1).%
done/$(1).%:
	@$$(call epoch,$$(left))

# What PyTorch and others read: the network alone.
done/$(1):
	@stage $(1) "convert-weights $(1).$(EPOCHS).safetensors -o $(1).safetensors --quiet"

# The same for other programs, as EXPORT says.
done/onnx$(1:student%=%):
	@stage onnx$(1:student%=%) "convert-weights $(1).safetensors -o $(1).onnx --quiet"

done/torch$(1:student%=%):
	@stage torch$(1:student%=%) "convert-weights $(1).safetensors -o $(1).pth --quiet"

$(call follow,$(1),$(1).$(EPOCHS))
$(foreach e,$(EXPORT),$(call follow,$(e)$(1:student%=%),$(1)))
endef
$(foreach s,$(STUDENTS),$(eval $(call begin,$(s))))

# The numbers of the stored rows that the epochs 1 … EPOCHS learn from, where there are any: 1 … STORE again and again.
stored := $(if $(STORE),$(foreach i,$(call numbers,$(shell expr $(EPOCHS) / $(STORE) + 1)),$(call numbers,$(STORE))))

# The epochs after which the students are judged along the way, and $(call probes,N): what judges the students' epoch N, if it is one of them.
quickest := $(firstword $(PROTOCOLS))
probed := $(if $(PROBE),$(shell seq $(PROBE) $(PROBE) $$(($(EPOCHS) - 1))))
probes = $(if $(filter $(1),$(probed)),$(STUDENTS:%=evaluation.%.$(1).$(quickest)))

# The first student's epoch comes after the epoch before of all of them, each other's after that of the student before it, which does what it can of theirs.
first := $(firstword $(STUDENTS))
$(foreach n,$(call numbers,$(EPOCHS)),$(call follow,$(first).$(n),\
  $(STUDENTS:%=%.$(word $(n),0 $(call numbers,$(EPOCHS)))) $(call probes,$(word $(n),0 $(call numbers,$(EPOCHS)))) $(addprefix store.,$(word $(n),$(stored))) $(TEACHER_DONE) $(PICTURES_DONE) $(BAGS)))
$(foreach i,$(call numbers,$(words $(wordlist 2,1000000,$(STUDENTS)))),$(foreach n,$(call numbers,$(EPOCHS)),\
  $(call follow,$(word $(i),$(wordlist 2,1000000,$(STUDENTS))).$(n),$(word $(i),$(STUDENTS)).$(n))))

# In the recipe of an epoch: the students that have not done it.
left = $(if $(ALONE),$(basename $(@F)),$(strip $(foreach s,$(STUDENTS),$(shell [ -e done/$(s).$* ] || echo $(s)))))

# The number of the stored rows that it learns from, and what it is to say to augment for the views that come again.
number = $(shell expr \( $* - 1 \) % $(STORE) + 1)
again  = $(if $(STORE),$(shell [ $* -le $(STORE) ] || echo --repeat $(STORE)))

# What the teachers add, where the method needs any; $(call embed,TEACHER): what one of them does.
embed = embed @options/$(1).embed @options/$(1).rows @options/threads
taught = $(if $(STORE),embed --stored store/teacher.$(number).tensors.zst @options/threads --quiet |,$(foreach t,$(TEACHERS),$(call embed,$(t)) --quiet |))

# $(call learn,STUDENT)
learn = train-step - $(MPI) @options/student.train @options/threads @options/interim --interim $(1).$*.interim.safetensors --epochs $(EPOCHS) --log log/$(1).$*.jsonl \
  --student $(1).$(before).safetensors -o $(1).$*.safetensors

# $(call epoch,STUDENTS): the epoch of one student, or of several that share its stream.
# Of several ranks each has one process in MPI, so that students learn one after the other.
epoch = $(if $(1),$(if $(word 2,$(1)),$(if $(RANKS),$(foreach s,$(1),$(call alone,$(s).$*,$(s));),$(call together,students.$*,$(1))),$(call alone,$(1).$*,$(1))),:)
views = augment --data data/train $(SLICE) @options/student.augment @options/threads --epoch $(before) $(again) $(2:%=--resume %.$*.interim.safetensors) --report log/$(1).images.json --quiet | $(taught)
alone = stage $(1) "$(call ranked,$(call views,$(1),$(2)) $(call learn,$(2)))"
together = stage $(1) "$(call views,$(1),$(2)) fan-out --ended log/$(1).ended $(foreach s,$(2),-- $(call learn,$(s)))" $(2:%=%.$*)

# The teachers' rows of an epoch's views, which the last of them writes.
before_last = $(wordlist 2,$(words $(TEACHERS)),- $(TEACHERS))
done/store.%:
	@stage store.$* "augment --data data/train @options/student.augment @options/threads --epoch $(before) --report log/store.$*.images.json --quiet | \
	  $(foreach t,$(before_last),$(call embed,$(t)) --quiet |)$(call embed,$(lastword $(TEACHERS))) @options/teacher.store --timing log/store.$*.json -o store/teacher.$*.tensors.zst"

$(foreach n,$(sort $(stored)),$(call follow,store.$(n),$(TEACHER_DONE) $(PICTURES_DONE) $(BAGS)))

# The images that are near to each for the teacher, where the method draws from them.
$(if $(BAGS),$(call follow,bags,$(TEACHER_DONE) $(PICTURES_DONE)))
done/bags:
	@stage bags "augment --data data/train @options/bags.augment @options/threads --quiet | \
	  embed --weights teacher.safetensors --features --drop images @options/threads --quiet | neighbours @options/threads --quiet --timing log/bags.json -o bags.safetensors"

judged: | $(foreach s,$(STUDENTS),$(EXPORT:%=done/%$(s:student%=%)))

# With UNTIL=students.
until-students: | $(STUDENTS:%=done/%)
	@echo "what learns is trained; all files are in $$SEED_RUN"
