"""Runs an ONNX file on the images of a stream's first record, as bytes or as numbers, with onnxruntime; prints the relative error of its features and of its embedding, brought to length 1,
against the record's `features` and `teacher`: python3 run_onnx.py FILE.onnx STREAM [MEAN DEVIATION]. pip install onnx onnxruntime safetensors zstandard numpy"""
import sys

import numpy as np
import onnx
import onnxruntime

from stream_record import first_record

onnx.checker.check_model(sys.argv[1], full_check=True)
record = first_record(sys.argv[2])
images = record["images"][:, 0]
if len(sys.argv) > 3:
    mean, deviation = (np.array(list(map(float, text.split(","))), np.float32) for text in sys.argv[3:5])
    images = np.ascontiguousarray(((images / 255 - mean) / deviation).transpose(0, 3, 1, 2).astype(np.float32))
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
found = dict(zip([output.name for output in session.get_outputs()], session.run(None, {"images": images})))
embedding = found.get("embedding", found["features"])
embedding = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
for ours, theirs in [(record["features"], found["features"]), (record["teacher"], embedding)]:
    print(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
