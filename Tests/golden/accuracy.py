"""A classifier's logits with what they say, for EvaluateToolTests: python3 Tests/golden/accuracy.py (writes accuracy.safetensors beside itself)

Places by numpy's stable sort, so that of equal logits the first class comes first, and probabilities in double precision.
"""
import pathlib

import numpy as np
from safetensors.numpy import save_file

random = np.random.default_rng(3)
N, C = 200, 12
labels = random.integers(0, C, N)
# Coarse, so that some are equal.
logits = np.round(random.normal(0, 2, (N, C)) * 4) / 4
logits[np.arange(N), labels] += 1.5
order = np.argsort(-logits, axis=1, kind="stable")
place = np.argmax(order == labels[:, None], axis=1)
z = np.exp(logits - logits.max(1, keepdims=True))
p = z / z.sum(1, keepdims=True)
save_file(
    {
        "logits": logits.astype("f4"), "labels": labels.astype("i4"),
        "correct": np.array([(place < 1).sum(), (place < 5).sum()]).astype("i8"),
        "classes": order[:, :3].astype("i8").copy(), "probabilities": np.take_along_axis(p, order[:, :3], 1).copy(),
    },
    pathlib.Path(__file__).with_suffix(".safetensors"))
print((place < 1).sum(), (place < 5).sum(), sum(len(set(row)) < C for row in logits.tolist()))
