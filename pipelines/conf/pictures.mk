# The user's own pictures. The method's and the papers' values, but for what small data sets and CPUs ask for.

SYNTHESIZE_OPTIONS ?=

#= SIZE            height and width of what networks see (default: 224)
SIZE ?= 224
#= EMBEDDING       numbers in an embedding, the teacher's and so the student's (default: 128)
EMBEDDING ?= 128

#= TEACHER_NETWORK, TEACHER_OBJECTIVE, TEACHER_EPOCHS, TEACHER_BATCH, TEACHER_OPTIONS
#=                 how a teacher is trained where none is given (default: resnet50 by moco-v2)
TEACHER_NETWORK   ?= resnet50
TEACHER_OBJECTIVE ?= moco-v2
TEACHER_EPOCHS    ?= 200
TEACHER_BATCH     ?= 64
TEACHER_OPTIONS   ?= --schedule smooth --learning-rate 0.03 --warm-up 1

#= STUDENT         the student's network (default: resnet18)
STUDENT ?= resnet18
#= EPOCHS          how often the student sees all pictures; raise it to go on (default: 24)
EPOCHS  ?= 24
#= BATCH           pictures in a step (default: 64)
BATCH   ?= 64
#= QUEUE           teacher embeddings in the queue (default: half the data set, at most 65536)
QUEUE   ?=
#= STUDENT_OPTIONS options of train-step
STUDENT_OPTIONS ?= --schedule smooth --learning-rate 0.1 --teacher-temperature 0.02
