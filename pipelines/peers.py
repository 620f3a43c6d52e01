"""Runs one of torchvision's networks in another program, whenever a line of standard input says `run`.

    echo run | peers.py train resnet18 --mode channels-last --size 224 --batch 32 --threads 2

Answers in JSON lines: {"ready": true} when all is compiled and warm; {"seconds": …} of a batch after each `run`; {"memory": …}, the most
this process ever had, in bytes, at the end of the input. `peers.py versions` tells what is compared. See `make bench PEERS=1`.
"""
import argparse
import json
import os
import sys
import tempfile
import time

MODES = ["nchw", "channels-last", "compile", "onnxruntime", "openvino"]


def say(**answer):
    print(json.dumps(answer), file=answers, flush=True)


def network(name):
    """torchvision's network with random weights and a thousand classes."""
    import torch, torchvision

    torch.manual_seed(0)
    return getattr(torchvision.models, name.replace("-", "_").replace(".", "_"))(weights=None)


def train(options):
    import torch

    model, x = network(options.network).train(), torch.randn(options.batch, 3, options.size, options.size)
    if options.mode != "nchw":
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9, weight_decay=1e-4, fused=True)
    forward = torch.compile(model) if options.mode == "compile" else model

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = forward(x).square().sum() / (2 * options.batch)
        loss.backward()
        optimizer.step()

    return step


def embed(options):
    import torch

    model, x = network(options.network).eval(), torch.randn(options.batch, 3, options.size, options.size)
    if options.mode in ("onnxruntime", "openvino"):
        return exported(options, model, x)
    if options.mode != "nchw":
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    forward = torch.compile(model) if options.mode == "compile" else model

    def batch():
        with torch.no_grad():
            forward(x)

    return batch


def exported(options, model, x):
    """The network in single precision, through an ONNX file."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "network.onnx")
        torch.onnx.export(model, (x,), file, verbose=False)
        if options.mode == "onnxruntime":
            import onnxruntime

            settings = onnxruntime.SessionOptions()
            settings.intra_op_num_threads, settings.inter_op_num_threads = options.threads, 1
            session = onnxruntime.InferenceSession(file, settings, providers=["CPUExecutionProvider"])
            images = {session.get_inputs()[0].name: x.numpy()}
            return lambda: session.run(None, images)
        import openvino

        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": options.threads, "PERFORMANCE_HINT": "LATENCY"}
        request = openvino.Core().compile_model(file, "CPU", settings).create_infer_request()
        return lambda: request.infer([x.numpy()], share_inputs=True, share_outputs=True)


def versions():
    import onnxruntime, openvino, torch, torchvision

    found = [("PyTorch", torch), ("torchvision", torchvision), ("onnxruntime", onnxruntime), ("OpenVINO", openvino)]
    return ", ".join(name + " " + module.__version__.split("+")[0].split("-")[0] for name, module in found)


def peak_memory():
    """The peak memory of this process alone; getrusage's value starts from the memory of the parent process."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM:"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=["train", "embed", "versions"])
    parser.add_argument("network", nargs="?", default="resnet18")
    parser.add_argument("--mode", choices=MODES, default="channels-last")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1)
    options = parser.parse_args()
    if options.work == "versions":
        return say(versions=versions())

    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    import torch

    torch.set_num_threads(options.threads)
    batch = {"train": train, "embed": embed}[options.work](options)
    for _ in range(3):
        batch()
    say(ready=True)
    for line in sys.stdin:
        batch()  # the caches hold another program's data
        start, count = time.perf_counter(), 0
        while count == 0 or time.perf_counter() - start < options.seconds:
            batch()
            count += 1
        say(seconds=(time.perf_counter() - start) / count)
    say(memory=peak_memory())


if __name__ == "__main__":
    # Redirect the libraries' output, so that it cannot be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    main()
