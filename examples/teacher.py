"""A teacher in PyTorch, in place of embed: make distill DATA=… SIZE=224 TEACHER_COMMAND='python3 examples/teacher.py --model timm:vit_small_patch16_224'
--model is timm:NAME, torchvision:NAME, hub:FOLDER:NAME (a folder with a hubconf.py) or MODULE:FUNCTION, called with the --set options
(a timm transformer takes images of another size with --set img_size=SIZE or --set dynamic_img_size=True); --weights is a file of torch.save or
safetensors, or none for random weights (default: the model's own weights). pip install torch torchvision timm numpy safetensors zstandard"""
import argparse, ast, importlib, os, sys
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # Waiting threads must not occupy the student's cores.

def fail(what): sys.exit("teacher.py: " + " ".join(str(what).split())[:300])

try:
    import numpy, torch
    from streams import Reader, Writer
except ImportError as error: fail(f"{error}; pip install torch torchvision timm numpy safetensors zstandard")

def literal(text):
    try: return ast.literal_eval(text)
    except (ValueError, SyntaxError): return text  # --set pool=avg means the string.

def build(model, weights, options):
    (source, _, name), module = model.partition(":"), importlib.import_module
    if not name or source == "hub" and ":" not in name: raise ValueError(f"--model {model}: timm:NAME, torchvision:NAME, hub:FOLDER:NAME or MODULE:FUNCTION is expected")
    if source == "timm": return module("timm").create_model(name, pretrained=weights is None, **{"num_classes": 0, **options})
    if source == "torchvision":
        model = module("torchvision").models.get_model(name, weights=None if weights else "DEFAULT", **options)
        [setattr(model, head, torch.nn.Identity()) for head in ("fc", "classifier", "heads", "head") if hasattr(model, head)]
        return model
    return torch.hub.load(*name.rsplit(":", 1), source="local", **options) if source == "hub" else getattr(module(source), name)(**options)

def unit_rows(output):
    if not torch.is_tensor(output) or output.ndim not in (2, 3, 4):
        what = f"a tensor of shape {tuple(output.shape)}" if torch.is_tensor(output) else f"a {type(output).__name__}" + (f" of {', '.join(map(str, output))}" if isinstance(output, dict) else "")
        raise ValueError(f"the model gives {what}; rows (N, D), tokens (N, L, D) or maps (N, D, H, W) are expected: give --model MODULE:FUNCTION whose module returns one of them")
    rows = output.mean((2, 3)) if output.ndim == 4 else output[:, 0] if output.ndim == 3 else output  # The mean of a map, the class token of tokens.
    return torch.nn.functional.normalize(rows.float()).numpy()

def main(arguments):
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # Keep a model's output out of the stream.
    torch.set_num_threads(arguments.threads or len(os.sched_getaffinity(0)))
    torch.manual_seed(0), sys.path.append(os.getcwd())
    model = build(arguments.model, arguments.weights, dict(arguments.set)).eval()
    if arguments.weights not in (None, "none"):
        state = (importlib.import_module("safetensors.torch").load_file(arguments.weights)
                 if arguments.weights.endswith(".safetensors") else torch.load(arguments.weights, map_location="cpu", weights_only=True))
        lacks = model.load_state_dict(state.get("state_dict", state), strict=False).missing_keys
        if lacks: raise ValueError(f"{arguments.weights}: lacks {len(lacks)} tensors of the model, such as {lacks[0]}")
    usual = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    mean, deviation = (torch.tensor(getattr(model, "pretrained_cfg", {}).get(name, usual[name])) for name in usual)
    reader = Reader(sys.stdin.buffer)
    with Writer(stream, reader.header) as writer, torch.inference_mode():
        for metadata, tensors in reader:
            images = torch.from_numpy(numpy.ascontiguousarray(tensors["images"][:, 0])).float() / 255
            writer.write({**tensors, "teacher": unit_rows(model(((images - mean) / deviation).permute(0, 3, 1, 2)))}, metadata)

def setting(word):
    name, mark, value = word.partition("=")
    if not name.isidentifier() or not mark: raise argparse.ArgumentTypeError(f"NAME=VALUE is expected, found {word}")
    return name, literal(value)

parser = argparse.ArgumentParser()
parser.error = fail
parser.add_argument("--model", required=True, help="timm:NAME, torchvision:NAME, hub:FOLDER:NAME or MODULE:FUNCTION")
parser.add_argument("--weights", help="a file of torch.save or safetensors, or none for random ones"), parser.add_argument("--threads", type=int, help="default: all")
parser.add_argument("--set", action="append", default=[], type=setting, metavar="NAME=VALUE", help="an argument of the model; may be given again")
try: main(parser.parse_args())
except Exception as error: fail(str(error) or repr(error))
