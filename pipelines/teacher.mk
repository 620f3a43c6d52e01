# Images, if they are drawn, and the teacher, if it is trained.

PICTURES_DONE := $(if $(filter drawn,$(PICTURES)),pictures)
TEACHER_DONE  := $(if $(filter trained,$(TEACHER)),teacher.$(TEACHER_EPOCHS))

$(if $(TEACHER_DONE),$(call chain,teacher,$(TEACHER_EPOCHS),$(PICTURES_DONE)))

done/pictures:
	@stage pictures "synthesize @options/pictures @options/threads --timing log/pictures.json --sheet pictures.jpg -o pictures"

done/teacher.0:
	@stage teacher.0 "initialize @options/teacher.begin -o teacher.0.safetensors"

done/teacher.%:
	@stage teacher.$* "$(call ranked,augment --data data/train $(SLICE) @options/teacher.augment @options/threads --epoch $(before) --resume teacher.$*.interim.safetensors --report log/teacher.$*.images.json --quiet | \
	  train-step - $(MPI) @options/teacher.train @options/threads @options/interim --interim teacher.$*.interim.safetensors --epochs $(TEACHER_EPOCHS) --log log/teacher.$*.jsonl \
	    --student teacher.$(before).safetensors -o teacher.$*.safetensors)"

# For UNTIL=teacher.
until-teacher: | $(TEACHER_DONE:%=done/%)
	@echo "the teacher is trained; all files are in $$SEED_RUN"
