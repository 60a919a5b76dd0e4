"""A peer on the GPU: an encoder of a transformers (or torchvision) folder, told line by line what to run.

    gpu_encoders.py --model clip-vision|clip-text|resnet --engine eager|compile --folder FOLDER --inputs FOLDER
                    [--dtype bfloat16|float32]

Speaks the line protocol of bench/gpu_encoder_bench: prints "ready NAME VERSION" once; then reads
    run CASE BATCH SECONDS     → "ran ITEMS SECONDS"
    outputs CASE BATCH FILE    → "wrote ROWS COLUMNS": float32 vectors of the first BATCH inputs
until its input ends. Its inputs lie on the GPU, normalised, and its vectors stay there; CASE is not looked at.
"""

import argparse
import functools
import json
import os
import sys
import time

import numpy
import torch
import torchvision
import transformers


def torchvision_resnet(ours):
    """torchvision's resnet50 with the weights of transformers' model, up to its pooled features."""
    model = torchvision.models.resnet50()
    model.fc = torch.nn.Identity()

    def copy(convolution, norm, layer):
        convolution.load_state_dict(layer.convolution.state_dict())
        norm.load_state_dict(layer.normalization.state_dict())

    copy(model.conv1, model.bn1, ours.embedder.embedder)
    for number, stage in enumerate(ours.encoder.stages, 1):
        for block, theirs in zip(getattr(model, f"layer{number}"), stage.layers):
            for i, layer in enumerate(theirs.layer, 1):
                copy(getattr(block, f"conv{i}"), getattr(block, f"bn{i}"), layer)
            if block.downsample is not None:
                copy(*block.downsample, theirs.shortcut)
    return model


def load(args):
    """The model, common inputs of it, a function from (model, inputs) to vectors, and whose it is."""
    dtype = getattr(torch, args.dtype)
    library = f"transformers {transformers.__version__}"
    if args.model == "clip-text":
        model = transformers.CLIPTextModelWithProjection.from_pretrained(args.folder, dtype=dtype)
        with open(os.path.join(args.inputs, "texts.json")) as file:
            inputs = torch.tensor(json.load(file), device="cuda")
        return model, inputs, lambda model, ids: model(input_ids=ids).text_embeds, library
    pixels = numpy.fromfile(os.path.join(args.inputs, "images.u8"), numpy.uint8).reshape(-1, 224, 224, 3)
    with open(os.path.join(args.folder, "preprocessor_config.json")) as file:
        config = json.load(file)
    mean, std = (torch.tensor(config[key], device="cuda") for key in ("image_mean", "image_std"))
    images = ((torch.from_numpy(pixels).cuda().float() / 255 - mean) / std).permute(0, 3, 1, 2).to(dtype)
    if args.model == "clip-vision":
        model = transformers.CLIPVisionModelWithProjection.from_pretrained(args.folder, dtype=dtype)
        return model, images.contiguous(), lambda model, x: model(pixel_values=x).image_embeds, library
    model = torchvision_resnet(transformers.ResNetModel.from_pretrained(args.folder)).to(dtype)
    return model, images.contiguous(), lambda model, x: model(x), f"torchvision {torchvision.__version__}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=("clip-vision", "clip-text", "resnet"), required=True)
    parser.add_argument("--engine", choices=("eager", "compile"), required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--inputs", required=True)
    parser.add_argument("--dtype", default="bfloat16")
    args = parser.parse_args()
    torch.set_grad_enabled(False)
    model, inputs, call, library = load(args)
    model = model.cuda().eval()
    run = functools.partial(call, torch.compile(model) if args.engine == "compile" else model)
    print("ready", library, args.engine, args.dtype, flush=True)
    for line in sys.stdin:
        command, _, batch, argument = line.split()
        some = inputs[:int(batch)]
        if command == "outputs":
            vectors = run(some).float().cpu().numpy()
            vectors.tofile(argument)
            print("wrote", *vectors.shape, flush=True)
            continue
        run(some)  # Compiles for a batch of this size, outside of the time.
        torch.cuda.synchronize()
        items, start = 0, time.perf_counter()
        while time.perf_counter() - start < float(argument):
            for _ in range(4):
                run(some)
                items += int(batch)
            torch.cuda.synchronize()
        print("ran", items, time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
