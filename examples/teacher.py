"""A teacher in PyTorch, where embed stands: any model that PyTorch can run.

    augment --data train.tar --size 224 | python3 examples/teacher.py resnet50 | train-step --student student.0.safetensors - -o student.1.safetensors

Without a file of weights the network is torchvision's, as ImageNet's labels have trained it. Its rows are as long as its features: initialize the student with
--embedding 2048. pip install torch torchvision numpy safetensors zstandard
"""
import sys

import numpy
import torch
import torchvision

from streams import Reader, Writer

name, *weights = sys.argv[1:]
model = torchvision.models.get_model(name, weights=None if weights else "DEFAULT")
for head in ("fc", "classifier"):
    if hasattr(model, head):
        setattr(model, head, torch.nn.Identity())
if weights:
    model.load_state_dict(torch.load(weights[0], weights_only=True), strict=False)
model.eval()
mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])

reader = Reader(sys.stdin.buffer)
with Writer(sys.stdout.buffer, reader.header) as writer, torch.inference_mode():
    for metadata, tensors in reader:
        images = torch.from_numpy(numpy.ascontiguousarray(tensors["images"][:, 0])).float() / 255
        rows = model(((images - mean) / deviation).permute(0, 3, 1, 2))
        writer.write({**tensors, "teacher": torch.nn.functional.normalize(rows).numpy()}, metadata)
