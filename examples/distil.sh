#!/usr/bin/env bash
# A distillation in plain shell: distil.sh DATA TEACHER.safetensors [EPOCHS], run in the folder for the results.
# make distill does the same, resumes where it was stopped, and checks everything first.
set -euo pipefail
[ $# -ge 2 ] || { echo 'usage: distil.sh DATA TEACHER [EPOCHS]' >&2; exit 64; }
data=$1 teacher=$2 epochs=${3:-3}
size=${SIZE:-32} batch=${BATCH:-64} student=${STUDENT:-tiny-resnet10}

initialize --network "$student" --embedding "${EMBEDDING:-128}" -o student.0.safetensors
for ((epoch = 0; epoch < epochs; epoch++)); do
    augment --data "$data" --size "$size" --batch "$batch" --drop-last --epoch "$epoch" --quiet |
        embed --weights "$teacher" --quiet |
        train-step --student "student.$epoch.safetensors" --schedule smooth --learning-rate 0.06 --warm-up 1 --epochs "$epochs" \
            --teacher-temperature auto --log "student.$((epoch + 1)).jsonl" -o "student.$((epoch + 1)).safetensors"
done

# Split the images in two halves; classify one half by the labels of the other.
for half in 1 2; do
    augment --data "$data" --fold "$half/2" --recipe evaluation --size "$size" --quiet |
        embed --weights "student.$epochs.safetensors" --features --drop images --quiet -o "half$half.tensors.zst"
done
evaluate knn --train half1.tensors.zst --test half2.tensors.zst --k 10 -o knn.json
