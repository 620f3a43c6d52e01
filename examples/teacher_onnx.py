"""A teacher in onnxruntime, in place of embed: any ONNX file that takes images, including those written by convert-weights.

    make distill DATA=… SIZE=224 TEACHER_COMMAND='python3 examples/teacher_onnx.py teacher.onnx'

--output names the output to take (default: the last one). The pixels are f32 or f16 (N, 3, H, W) or (N, H, W, 3) normalized with ImageNet's mean and
deviation, or u8 (N, H, W, 3) if the file takes bytes. pip install onnxruntime numpy safetensors zstandard"""
import argparse
import os
import sys


def fail(what):
    sys.exit("teacher_onnx.py: " + " ".join(str(what).split())[:300])


try:
    import numpy
    import onnxruntime

    from streams import Reader, Writer
except ImportError as error:
    fail(f"{error}; pip install onnxruntime numpy safetensors zstandard")

MEAN, DEVIATION = numpy.array([0.485, 0.456, 0.406], "f4"), numpy.array([0.229, 0.224, 0.225], "f4")


def pixels(images, wanted):
    """u8 (N, H, W, 3) in the format of the file's input `wanted`."""
    if wanted.type == "tensor(uint8)":
        return images
    x = (images / numpy.float32(255) - MEAN) / DEVIATION
    x = x if wanted.shape[-1] == 3 else x.transpose(0, 3, 1, 2)
    return numpy.ascontiguousarray(x, "f2" if wanted.type == "tensor(float16)" else "f4")


def unit_rows(output):
    if output.ndim not in (2, 3, 4):
        raise ValueError(f"the file gives {output.shape}; rows (N, D), tokens (N, L, D) or maps (N, D, H, W) are expected: name one with --output")
    rows = output.mean((2, 3)) if output.ndim == 4 else output[:, 0] if output.ndim == 3 else output  # The mean of a map, the class token of tokens.
    rows = rows.astype("f4")
    return rows / numpy.maximum(numpy.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def main(arguments):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads or len(os.sched_getaffinity(0))
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # Waiting threads must not occupy the student's cores.
    session = onnxruntime.InferenceSession(arguments.file, options, providers=["CPUExecutionProvider"])
    wanted, outputs = session.get_inputs()[0], [output.name for output in session.get_outputs()]
    output = arguments.output or outputs[-1]
    if output not in outputs:
        raise ValueError(f"{arguments.file}: has no output {output}; it has {', '.join(outputs)}")
    reader = Reader(sys.stdin.buffer)
    with Writer(sys.stdout.buffer, reader.header) as writer:
        for metadata, tensors in reader:
            x = pixels(numpy.ascontiguousarray(tensors["images"][:, 0]), wanted)
            # A file with a fixed batch size N gets N images at a time; the last part is padded.
            N = wanted.shape[0] if isinstance(wanted.shape[0], int) else len(x)
            parts = []
            for start in range(0, len(x), N):
                part = x[start:start + N]
                whole = numpy.concatenate([part, numpy.repeat(part[-1:], N - len(part), 0)])
                parts.append(unit_rows(session.run([output], {wanted.name: whole})[0])[:len(part)])
            writer.write({**tensors, "teacher": numpy.concatenate(parts)}, metadata)


parser = argparse.ArgumentParser()
parser.error = fail
parser.add_argument("file"), parser.add_argument("--output"), parser.add_argument("--threads", type=int)
try:
    main(parser.parse_args())
except Exception as error:
    fail(str(error) or repr(error))
