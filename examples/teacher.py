"""A teacher in PyTorch, where embed stands: make distill DATA=… SIZE=224 TEACHER_COMMAND='python3 examples/teacher.py --model timm:vit_small_patch16_224'
--model is timm:NAME, torchvision:NAME, hub:FOLDER:NAME (a folder with a hubconf.py) or MODULE:FUNCTION, called with what --set says; --weights is a file of
torch.save or safetensors, or none for random ones (default: those that the model comes with). pip install torch torchvision timm numpy safetensors zstandard"""
import argparse, ast, importlib, os, sys
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # Threads that wait must not keep the student from the cores.
import numpy, torch
from streams import Reader, Writer

def build(name, weights, options):
    (source, _, name), module = name.partition(":"), importlib.import_module
    if source == "timm": return module("timm").create_model(name, pretrained=weights is None, num_classes=0, **options)
    if source == "torchvision":
        model = module("torchvision").models.get_model(name, weights=None if weights else "DEFAULT", **options)
        [setattr(model, head, torch.nn.Identity()) for head in ("fc", "classifier", "heads", "head") if hasattr(model, head)]
        return model
    return torch.hub.load(*name.rsplit(":", 1), source="local", **options) if source == "hub" else getattr(module(source), name)(**options)

def main(arguments):
    torch.set_num_threads(arguments.threads or len(os.sched_getaffinity(0)))
    torch.manual_seed(0), sys.path.append(os.getcwd())
    model = build(arguments.model, arguments.weights, {name: ast.literal_eval(value) for name, value in arguments.set}).eval()
    if arguments.weights not in (None, "none"):
        state = (importlib.import_module("safetensors.torch").load_file(arguments.weights)
                 if arguments.weights.endswith(".safetensors") else torch.load(arguments.weights, map_location="cpu", weights_only=True))
        lacks = model.load_state_dict(state.get("state_dict", state), strict=False).missing_keys
        if lacks: raise ValueError(f"{arguments.weights}: lacks {len(lacks)} tensors of the model, such as {lacks[0]}")
    usual = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    mean, deviation = (torch.tensor(getattr(model, "pretrained_cfg", {}).get(name, usual[name])) for name in usual)
    reader = Reader(sys.stdin.buffer)
    with Writer(sys.stdout.buffer, reader.header) as writer, torch.inference_mode():
        for metadata, tensors in reader:
            images = torch.from_numpy(numpy.ascontiguousarray(tensors["images"][:, 0])).float() / 255
            rows = model(((images - mean) / deviation).permute(0, 3, 1, 2))
            rows = rows.mean((2, 3)) if rows.ndim == 4 else rows[:, 0] if rows.ndim == 3 else rows  # Of a map its mean, of tokens the class's.
            writer.write({**tensors, "teacher": torch.nn.functional.normalize(rows.float()).numpy()}, metadata)

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True), parser.add_argument("--weights"), parser.add_argument("--threads", type=int)
parser.add_argument("--set", action="append", default=[], type=lambda word: word.split("=", 1), metavar="NAME=VALUE")
try: main(parser.parse_args())
except Exception as error: sys.exit("teacher.py: " + (" ".join(str(error).split()) or repr(error))[:300])
