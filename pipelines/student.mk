# The student: its epochs, one after the other.

$(call chain,student,$(EPOCHS),$(TEACHER_DONE) $(PICTURES_DONE) $(BAGS))
$(if $(BAGS),$(call follow,bags,$(TEACHER_DONE) $(PICTURES_DONE)))
$(call follow,student,student.$(EPOCHS))
$(foreach e,$(EXPORT),$(call follow,$(e),student))

done/student.0:
	@stage student.0 "initialize @options/student.begin -o student.0.safetensors"

# The images that are near to each for the teacher, where the method draws from them.
done/bags:
	@stage bags "augment --data data/train @options/bags.augment @options/threads --quiet | \
	  embed --weights teacher.safetensors --features --drop images @options/threads --quiet | neighbours @options/threads --quiet --timing log/bags.json -o bags.safetensors"

# What the teacher adds, where the method needs one.
taught := $(if $(filter none,$(TEACHER)),,embed @options/teacher.embed @options/teacher.rows @options/threads --quiet |)

done/student.%:
	@stage student.$* "augment --data data/train @options/student.augment @options/threads --epoch $(before) --report log/student.$*.images.json --quiet | $(taught) \
	  train-step - @options/student.train @options/threads --epochs $(EPOCHS) --log log/student.$*.jsonl \
	    --student student.$(before).safetensors -o student.$*.safetensors"

# What PyTorch and others read: the network alone.
done/student:
	@stage student "convert-weights student.$(EPOCHS).safetensors -o student.safetensors --quiet"

# The same for other programs, as EXPORT says.
done/onnx:
	@stage onnx "convert-weights student.safetensors -o student.onnx --quiet"

done/torch:
	@stage torch "convert-weights student.safetensors -o student.pth --quiet"

judged unjudged: | $(EXPORT:%=done/%)

unjudged: | done/student
	@echo "student: $$SEED_RUN/student.safetensors"
