"""A loss for train-step, in Python: SEED's, with numpy.

    train-step --student student.0.safetensors --loss 'python3 examples/loss.py' embedded.tensors.zst -o student.1.safetensors

For each batch it receives 'student' and 'teacher', rows of length 1, and answers with 'loss' and 'gradient', the gradient of the mean loss with
respect to the student's rows. Its state between epochs, the queue, is stored with the student's checkpoint as a state record.
"""
import sys

import numpy

from streams import Reader, Writer

ROWS, TEACHER, STUDENT = 1024, 0.07, 0.2


def softmax(x):
    e = numpy.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


reader = Reader(sys.stdin.buffer)
with Writer(sys.stdout.buffer, {"loss": f"examples/loss.py {ROWS} {TEACHER} {STUDENT}"}) as writer:
    queue = None
    for metadata, tensors in reader:
        if metadata.get("state") == "1":
            queue = tensors["queue"]
            continue
        student, teacher = tensors["student"], tensors["teacher"]
        if queue is None:
            queue = numpy.random.default_rng(0).normal(size=(ROWS, teacher.shape[1])).astype("f4")
            queue /= numpy.linalg.norm(queue, axis=1, keepdims=True)
        # Column 0 is the image's own teacher row; the others are the queue.
        def logits(rows):
            return numpy.concatenate([(rows * teacher).sum(1, keepdims=True), rows @ queue.T], 1)
        p, q = softmax(logits(teacher) / TEACHER), softmax(logits(student) / STUDENT)
        loss = -(p * numpy.log(q)).sum(1)
        difference = (q - p) / (len(student) * STUDENT)
        gradient = difference[:, :1] * teacher + difference[:, 1:] @ queue
        writer.write({
            "loss": loss.astype("f4"), "gradient": gradient.astype("f4"), "floor": -(p * numpy.log(p + 1e-30)).sum(1).astype("f4"),
            "agreement": (p.argmax(1) == q.argmax(1)).astype("f4")}, metadata)
        queue = numpy.concatenate([queue[len(teacher):], teacher])[-ROWS:]
    if reader.header.get("state") == "wanted" and queue is not None:
        writer.write({"queue": queue}, {"state": "1"})
