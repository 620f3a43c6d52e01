"""Loads a file of weights as users of a library do, and compares with ours: python3 load_weights.py LIBRARY MODEL FILE STREAM. pip install torch torchvision timm safetensors zstandard numpy

LIBRARY is torchvision, timm or seed: MODEL is made, the file loaded with strict=True, and the relative errors of its features and of its embedding, brought to length 1, against the
`features` and `teacher` of the stream's first record are printed. For detectron2 and mmdetection, which are not installed, FILE's tensors are compared with those of STREAM, a file of
torchvision's names, under the names that their own converters give them; the largest difference is printed.
"""
import collections
import pickle
import sys

import numpy as np
import torch
import torch.nn as nn
from safetensors.torch import load_file

library, model, path, stream = sys.argv[1:]


def load():
    if path.endswith(".pkl"):
        with open(path, "rb") as file:
            return pickle.load(file, encoding="latin1")
    return load_file(path) if path.endswith(".safetensors") else torch.load(path, map_location="cpu", weights_only=True)


def detectron2_name(key):
    # tools/convert-torchvision-to-d2.py of detectron2.
    if "layer" not in key:
        key = "stem." + key
    for number in [1, 2, 3, 4]:
        key = key.replace("layer{}".format(number), "res{}".format(number + 1))
    for number in [1, 2, 3]:
        key = key.replace("bn{}".format(number), "conv{}.norm".format(number))
    return key.replace("downsample.0", "shortcut").replace("downsample.1", "shortcut.norm")


def compare_names():
    import torchvision

    file = load()
    whole = {key: value for key, value in load_file(stream).items() if not key.startswith("fc.")}
    reference = getattr(torchvision.models, model)(weights=None).state_dict()
    assert set(whole) == {key for key in reference if not key.startswith("fc.")}
    if library == "detectron2":
        assert file["__author__"] and file["matching_heuristics"] is True
        expected = {detectron2_name(key): value for key, value in whole.items() if not key.endswith("num_batches_tracked")}
        found = file["model"]
    else:
        expected, found = whole, file["state_dict"]
    assert set(found) == set(expected), set(found) ^ set(expected)
    assert all(tuple(found[key].shape) == tuple(expected[key].shape) for key in expected)
    print(max(np.abs(np.asarray(found[key], np.float64) - np.asarray(expected[key], np.float64)).max() for key in expected))


def network(state):
    """The model with a head that has the file's shapes; strict=True finds what is not the same."""
    if library == "timm":
        import timm

        base = model.split(":")[0]
        probe = timm.create_model(base, num_classes=0)
        name = "fc" if hasattr(probe, "fc") else "classifier"
    else:
        import torchvision

        probe = getattr(torchvision.models, model)(weights=None)
        name = "fc" if hasattr(probe, "fc") else "classifier.%d" % (len(probe.classifier) - 1)
    layers = collections.OrderedDict()
    for key, value in state.items():
        if key.startswith(name + ".") and key.endswith(".weight"):
            layers[key[len(name) + 1 : -len(".weight")] if key != name + ".weight" else ""] = value
    if not layers:
        head = nn.Identity()
    elif "" in layers:
        head = nn.Linear(*reversed(layers[""].shape))
    else:
        head = nn.Sequential(*[nn.Linear(*reversed(layers[str(i)].shape)) if str(i) in layers else nn.ReLU() for i in range(1 + max(map(int, layers)))])
    parent = probe
    for part in name.split(".")[:-1]:
        parent = getattr(parent, part) if not part.isdigit() else parent[int(part)]
    last = name.split(".")[-1]
    if last.isdigit():
        parent[int(last)] = nn.Identity()
    else:
        setattr(parent, last, nn.Identity())
    probe.eval()

    def run(images):
        features = probe(images)
        return features, head.eval()(features)

    own = {key: value for key, value in state.items() if not key.startswith(name + ".")}
    probe.load_state_dict(own, strict=True)
    head.load_state_dict({key[len(name) + 1 :]: value for key, value in state.items() if key.startswith(name + ".")}, strict=True)
    return run


if library in ("detectron2", "mmdetection"):
    compare_names()
else:
    from stream_record import first_record

    state = load()
    if library == "seed":
        state = state.get("state_dict", state)
        state = {key[len("module.student.") :]: value for key, value in state.items()}
    record = first_record(stream)
    mean, deviation = ([127 / 255] * 3, [128 / 255] * 3) if "lite" in model else ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    images = ((record["images"][:, 0] / 255 - np.array(mean)) / np.array(deviation)).transpose(0, 3, 1, 2).astype(np.float32)
    with torch.no_grad():
        features, embedding = (value.numpy() for value in network(state)(torch.from_numpy(np.ascontiguousarray(images))))
    embedding = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    for ours, theirs in [(record["features"], features), (record["teacher"], embedding)]:
        print(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
