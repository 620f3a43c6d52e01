# Features of the teacher and of the student before and after training, and their evaluation.

SUBJECTS := $(TEACHERS) $(foreach s,$(STUDENTS),$(s).0 $(s).$(EPOCHS))

# $(call features,SUBJECT): the feature stages that SUBJECT's evaluation needs. Without labels these include the
# teacher's, because its neighbours are compared with SUBJECT's.
with_teacher := $(if $(filter quality,$(PROTOCOLS)),$(if $(filter none,$(TEACHER)),,--teacher features/teacher.train.tensors.zst))
features = $(foreach s,$(sort $(1) $(if $(with_teacher),teacher)),$(PARTS:%=features.$(s).%))

$(foreach s,$(SUBJECTS),$(foreach p,$(PARTS),$(call follow,features.$(s).$(p),$(if $(filter $(s),$(TEACHERS)),$(TEACHER_DONE),$(s)) $(PICTURES_DONE))))
$(foreach s,$(SUBJECTS),$(foreach p,$(PROTOCOLS),$(call follow,evaluation.$(s).$(p),$(call features,$(s)))))
$(foreach s,$(foreach n,$(probed),$(STUDENTS:%=%.$(n))),$(foreach p,$(PARTS),$(call follow,features.$(s).$(p),$(s)))$(call follow,evaluation.$(s).$(quickest),$(call features,$(s))))
$(call follow,table,$(foreach n,$(probed),$(call probes,$(n))) $(STUDENTS) $(foreach s,$(SUBJECTS),$(foreach p,$(PROTOCOLS),evaluation.$(s).$(p))))

# The features of the network that $* names, and the output of its head. If the teacher is a program, its rows serve as
# both.
embedded = $(if $(filter program-teacher,$(TEACHER)-$(basename $*)),\
  embed @options/teacher.embed --as features --as embedding,\
  embed --weights $(basename $*).safetensors --features @options/threads --quiet | \
  embed --weights $(basename $*).safetensors $(if $(filter classifier,$(HEAD)),--logits,--as embedding))

# student.24.test: the network student.24 on the images of features.test. $(call featured,OPTIONS,OUTPUT): with OPTIONS
# for augment, and OUTPUT as the destination.
featured = augment @options/features$(suffix $*) $(1) @options/threads --quiet | $(embedded) --drop images @options/threads $(2)

# If all shards of the features exist, merge them.
done/features.%:
	@stage features.$* "$(or $(patsubst %,rm -f log/features.$*.json && merge-shards % --quiet -o features/$*.tensors.zst,$(shell shards all features.$*)),$(call featured,,--timing log/features.$*.json -o features/$*.tensors.zst))"
	@[ -n "$${SEED_SHOW:-}" ] || rm -f shards/features.$*.*.tensors.zst

# One shard of the features. It is not a stage of its own; the existence of its file marks it as done.
shard.features.%:
	@SEED_SHARD=$(subst /,-of-,$(SHARD)) stage features.$* "$(call featured,--shard $(SHARD),-o $(shell shards name features.$*).$(subst /,-of-,$(SHARD)).tensors.zst)"

# `evaluate` keeps its remarks in its result, and the table prints them once for all results.
FEATURES = --train features/$*.train.tensors.zst --test features/$*.test.tensors.zst

# During a run the report page shows what exists so far; failing to write it stops nothing. Once the stage `report` has
# written the page, it is left alone.
so_far = [ -n "$${SEED_SHOW:-}" ] || [ -e done/report ] || report --run . @options/report @options/threads --quiet || :

done/evaluation.%.knn:
	@stage evaluation.$*.knn "evaluate knn $(FEATURES) @options/threads --quiet --timing log/evaluation.$*.knn.json -o evaluation/$*.knn.json"
	@$(if $(filter $(suffix $*),$(probed:%=.%)),sed -n '/k=10. cosine. majority/s/^/$*: /p' log/evaluation.$*.knn.txt >&2; $(so_far))

done/evaluation.%.linear:
	@stage evaluation.$*.linear "evaluate linear $(FEATURES) @options/threads --quiet --timing log/evaluation.$*.linear.json -o evaluation/$*.linear.json"

# Without labels.
done/evaluation.%.quality:
	@stage evaluation.$*.quality "evaluate quality features/$*.train.tensors.zst $(if $(filter-out teacher,$*),$(with_teacher)) @options/threads --quiet \
	  --timing log/evaluation.$*.quality.json -o evaluation/$*.quality.json"
	@$(if $(filter $(suffix $*),$(probed:%=.%)),sed -n '/agreement.*k=10[^0-9]/s/^/$*: /p; /deviation/s/^/$*: /p' log/evaluation.$*.quality.txt >&2; $(so_far))

# SEED's own protocol.
done/evaluation.%.embedding:
	@stage evaluation.$*.embedding "evaluate knn --tensor embedding $(FEATURES) @options/threads --quiet --timing log/evaluation.$*.embedding.json \
	  -o evaluation/$*.embedding.json"

# A classifier's own accuracy.
done/evaluation.%.classifier:
	@stage evaluation.$*.classifier "evaluate accuracy features/$*.test.tensors.zst @options/threads --quiet --timing log/evaluation.$*.classifier.json \
	  -o evaluation/$*.classifier.json"

done/table:
	@stage table "evaluate table --run ."

# A page of all results, with some of the views that the students saw.
$(call follow,report,table)
done/report:
	@stage report "augment --data data/train @options/report.augment @options/threads --quiet | report --run . @options/report --views - @options/threads --quiet" || { cat table.txt; exit 1; }

judged: | done/report
	@cat table.txt
	@echo "all files are in $$SEED_RUN"
