#!/usr/bin/env bash
# Two students learn from one pass of the teacher: two-students.sh DATA TEACHER.safetensors, run in the folder for the results.
set -euo pipefail
[ $# -eq 2 ] || { echo 'usage: two-students.sh DATA TEACHER' >&2; exit 64; }
data=$1 teacher=$2 size=${SIZE:-32} batch=${BATCH:-64}

initialize --network tiny-resnet10 --embedding "${EMBEDDING:-128}" -o a.0.safetensors
initialize --network tiny-resnet18 --embedding "${EMBEDDING:-128}" -o b.0.safetensors
augment --data "$data" --size "$size" --batch "$batch" --drop-last --quiet | embed --weights "$teacher" --quiet | fan-out \
    -- train-step --student a.0.safetensors --queue-size 512 --teacher-temperature auto -o a.1.safetensors \
    -- train-step --student b.0.safetensors --queue-size 512 --teacher-temperature auto -o b.1.safetensors
