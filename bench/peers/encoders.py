"""One peer on the CPU: runs a batch of the common inputs when told to, and says how long it took.

    encoders.py --engine torch|onnxruntime --modality text|image --bundle FOLDER --inputs FOLDER --threads N

Speaks the line protocol of bench/encoder_bench: prints "ready NAME VERSION" once; then reads
    run CASE SECONDS     → "ran ITEMS SECONDS": whole passes over the case's batches until SECONDS are over
    outputs CASE FILE    → "wrote ROWS COLUMNS": float32 vectors of every item, in order
until its input ends.
"""

import argparse
import json
import os
import sys
import time

import numpy


class TorchEngine:
    """transformers, or timm for a bundle's images, as they come: eager PyTorch, SDPA attention."""

    def __init__(self, modality, bundle, threads):
        import torch

        import reference
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        self.torch = torch
        self.encoder = reference.load(modality, bundle)
        if modality == "image":
            # What PyTorch recommends for convolutions on a CPU, and faster here than the default layout.
            self.encoder = self.encoder.to(memory_format=torch.channels_last)
        if modality == "image" and reference.is_bundle(bundle):
            import timm
            self.name = f"timm {timm.__version__}"
        else:
            import transformers
            self.name = f"transformers {transformers.__version__}"

    def prepare(self, arrays):
        tensors = [self.torch.from_numpy(array) for array in arrays]
        return [t.contiguous(memory_format=self.torch.channels_last) if t.dim() == 4 else t for t in tensors]

    def run(self, inputs):
        return self.encoder(*inputs).numpy()


class OnnxRuntimeEngine:
    """An ONNX export of the same modules, with ONNX Runtime's own fusions for transformers where it has them."""

    def __init__(self, modality, bundle, threads):
        import onnxruntime

        import export_onnx
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        path = export_onnx.exported(modality, bundle)
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.names = [one.name for one in self.session.get_inputs()]
        self.name = f"onnxruntime {onnxruntime.__version__}"

    def prepare(self, arrays):
        return dict(zip(self.names, arrays))

    def run(self, inputs):
        return self.session.run(None, inputs)[0]


def pad(batch):
    """Token lists → ids and mask [batch, longest], as a tokenizer pads them."""
    longest = max(len(text) for text in batch)
    ids = numpy.zeros((len(batch), longest), numpy.int64)
    mask = numpy.zeros((len(batch), longest), numpy.int64)
    for row, text in enumerate(batch):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return [ids, mask]


def normalised(pixels, bundle):
    """uint8 [batch, height, width, 3] → float32 [batch, 3, height, width] as the model's preprocessor says."""
    import reference
    folder = os.path.dirname(reference.weights_of("image", bundle))
    with open(os.path.join(folder, "preprocessor_config.json")) as file:
        config = json.load(file)
    mean, std = (numpy.array(config[key], numpy.float32) for key in ("image_mean", "image_std"))
    scaled = (pixels.astype(numpy.float32) * config.get("rescale_factor", 1 / 255) - mean) / std
    return numpy.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def load_cases(args, engine):
    """Case name → list of (engine's inputs, items)."""
    with open(os.path.join(args.inputs, "inputs.json")) as file:
        described = json.load(file)["cases"]
    cases = {}
    for name, case in described.items():
        if case["modality"] != args.modality:
            continue
        cases[name] = []
        for batch in case["batches"]:
            if args.modality == "text":
                cases[name].append((engine.prepare(pad(batch)), len(batch)))
            else:
                # Normalised beforehand: the peer's time is the model's alone.
                pixels = numpy.fromfile(os.path.join(args.inputs, batch), numpy.uint8).reshape(case["shape"])
                cases[name].append((engine.prepare([normalised(pixels, args.bundle)]), len(pixels)))
    return cases


def serve(engine, cases):
    print("ready", *engine.name.split(), flush=True)
    for line in sys.stdin:
        command, case, argument = line.split()
        if command == "run":
            limit = float(argument)
            items, start = 0, time.perf_counter()
            elapsed = 0.0
            while elapsed < limit:
                for inputs, count in cases[case]:
                    engine.run(inputs)
                    items += count
                elapsed = time.perf_counter() - start
            print("ran", items, elapsed, flush=True)
        elif command == "outputs":
            vectors = numpy.concatenate([engine.run(inputs) for inputs, _ in cases[case]]).astype(numpy.float32)
            vectors.tofile(argument)
            print("wrote", *vectors.shape, flush=True)
        else:
            raise SystemExit(f"unknown command {command}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", choices=("torch", "onnxruntime"), required=True)
    parser.add_argument("--modality", choices=("text", "image"), required=True)
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--inputs", required=True)
    parser.add_argument("--threads", type=int, required=True)
    args = parser.parse_args()
    kind = TorchEngine if args.engine == "torch" else OnnxRuntimeEngine
    engine = kind(args.modality, args.bundle, args.threads)
    serve(engine, load_cases(args, engine))


if __name__ == "__main__":
    main()
