"""A teacher in onnxruntime, where embed stands: any ONNX file that takes images, also one that convert-weights has written.

    make distill DATA=… SIZE=224 TEACHER_COMMAND='python3 examples/teacher_onnx.py teacher.onnx'

--output names the output to take (default: the last one). The pixels are f32 (N, 3, H, W) with ImageNet's mean and deviation taken off, or u8 (N, H, W, 3)
where the file wants bytes. pip install onnxruntime numpy safetensors zstandard"""
import argparse
import os
import sys

import numpy
import onnxruntime

from streams import Reader, Writer

MEAN, DEVIATION = numpy.array([0.485, 0.456, 0.406], "f4"), numpy.array([0.229, 0.224, 0.225], "f4")


def main(arguments):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads or len(os.sched_getaffinity(0))
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # Threads that wait must not keep the student from the cores.
    session = onnxruntime.InferenceSession(arguments.file, options, providers=["CPUExecutionProvider"])
    images, output = session.get_inputs()[0], arguments.output or session.get_outputs()[-1].name
    reader = Reader(sys.stdin.buffer)
    with Writer(sys.stdout.buffer, reader.header) as writer:
        for metadata, tensors in reader:
            pixels = numpy.ascontiguousarray(tensors["images"][:, 0])
            x = pixels if images.type == "tensor(uint8)" else numpy.ascontiguousarray(((pixels / numpy.float32(255) - MEAN) / DEVIATION).transpose(0, 3, 1, 2))
            rows = session.run([output], {images.name: x})[0].astype("f4")
            rows = rows.mean((2, 3)) if rows.ndim == 4 else rows[:, 0] if rows.ndim == 3 else rows  # Of a map its mean, of tokens the class's.
            writer.write({**tensors, "teacher": rows / numpy.maximum(numpy.linalg.norm(rows, axis=1, keepdims=True), 1e-12)}, metadata)


parser = argparse.ArgumentParser()
parser.add_argument("file"), parser.add_argument("--output"), parser.add_argument("--threads", type=int)
try:
    main(parser.parse_args())
except Exception as error:
    sys.exit("teacher_onnx.py: " + (" ".join(str(error).split()) or repr(error))[:300])
