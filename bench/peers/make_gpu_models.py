"""Makes what bench/area_gpu.py measures: folders of models in their true shapes with random weights, and inputs.

    make_gpu_models.py --out FOLDER

writes FOLDER/vit_b32, vit_l14, clip_text and resnet50 as transformers does (bfloat16; resnet50 float32), and
FOLDER/inputs: images.u8 (256 pictures of 224 × 224), texts.json (256 texts of 77 tokens) and jpeg/ (64 photos of
256 × 256, as a client sends them). Speed does not depend on the weights' values.
"""

import argparse
import json
import os

import numpy
import torch
import transformers
from PIL import Image

IMAGES = 256
TOKENS = 77
END_OF_TEXT = 49407
VISION = {
    "vit_b32": {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
                "patch_size": 32, "projection_dim": 512},
    "vit_l14": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16,
                "patch_size": 14, "projection_dim": 768},
}


def pictures(generator, count, side):
    """Blurred noise of several sizes: as smooth as photos are, so that JPEG does with it what it does with them."""
    made = numpy.zeros((count, side, side, 3), numpy.float32)
    for cells in (4, 16, 64):
        noise = generator.random((count, cells, cells, 3), numpy.float32)
        grown = torch.nn.functional.interpolate(torch.from_numpy(noise).permute(0, 3, 1, 2), size=(side, side),
                                                mode="bicubic")
        made += grown.permute(0, 2, 3, 1).numpy() / 3
    return (made.clip(0, 1) * 255).astype(numpy.uint8)


def save(model, folder, dtype, processor=None):
    model.to(dtype).save_pretrained(folder)
    if processor is not None:
        processor.save_pretrained(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    torch.manual_seed(1)
    torch.set_default_device("cuda")
    for name, shape in VISION.items():
        config = transformers.CLIPVisionConfig(image_size=224, **shape)
        save(transformers.CLIPVisionModelWithProjection(config), os.path.join(args.out, name), torch.bfloat16,
             transformers.CLIPImageProcessorPil())
    text = transformers.CLIPTextConfig(hidden_size=512, intermediate_size=2048, num_hidden_layers=12,
                                       num_attention_heads=8, projection_dim=512, eos_token_id=END_OF_TEXT)
    save(transformers.CLIPTextModelWithProjection(text), os.path.join(args.out, "clip_text"), torch.bfloat16)
    processor = transformers.CLIPImageProcessorPil(
        image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])
    save(transformers.ResNetModel(transformers.ResNetConfig()), os.path.join(args.out, "resnet50"), torch.float32,
         processor)
    torch.set_default_device("cpu")

    inputs = os.path.join(args.out, "inputs")
    os.makedirs(os.path.join(inputs, "jpeg"))
    generator = numpy.random.default_rng(1)
    pictures(generator, IMAGES, 224).tofile(os.path.join(inputs, "images.u8"))
    texts = generator.integers(0, END_OF_TEXT - 1, (IMAGES, TOKENS))
    texts[:, -1] = END_OF_TEXT
    with open(os.path.join(inputs, "texts.json"), "w") as file:
        json.dump(texts.tolist(), file)
    for number, picture in enumerate(pictures(generator, 64, 256)):
        Image.fromarray(picture).save(os.path.join(inputs, "jpeg", f"{number:02}.jpg"), quality=90)


if __name__ == "__main__":
    main()
