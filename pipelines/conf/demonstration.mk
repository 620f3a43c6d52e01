# The demonstration: pictures that are drawn, a small teacher that is trained on them, a smaller student.
# Sized for twenty minutes on two cores.

SYNTHESIZE_OPTIONS ?= --classes 24 --train 6000 --test 1200 --size 64

# Height and width that networks see.
SIZE ?= 32
EMBEDDING ?= 128

# The teacher uses the labels, since no objective without them gets good in minutes. TEACHER_OBJECTIVE=moco-v2 does without: see README.
TEACHER_NETWORK   ?= tiny-resnet18
TEACHER_OBJECTIVE ?= supervised-contrastive
TEACHER_EPOCHS    ?= 16
TEACHER_BATCH     ?= 128
TEACHER_OPTIONS   ?= --schedule smooth --learning-rate 0.1 --warm-up 1

STUDENT ?= tiny-resnet10
EPOCHS  ?= 20
BATCH   ?= 64
QUEUE   ?= 2048
STUDENT_OPTIONS ?= --schedule smooth --learning-rate 0.1 --teacher-temperature 0.02
