#!/usr/bin/env python3
"""Makes goldens.json: what transformers' image processors with Pillow make of pictures beside it.

Each case holds a preprocessor_config.json, a picture of the folder above and the pixels that come
out, [height, width, 3] in a row. Needs transformers, torchvision (which some of its modules import)
and Pillow.
"""

import json
import pathlib
import tempfile

import numpy as np
from transformers import AutoImageProcessor

HERE = pathlib.Path(__file__).parent
CLIP = {"image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711]}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}

# As such files look, with sizes made small; old forms too.
CASES = {
    "clip": ({"feature_extractor_type": "CLIPFeatureExtractor", "do_center_crop": True,
              "do_normalize": True, "do_resize": True, "crop_size": 10, "size": 11, "resample": 3,
              **CLIP}, ["preprocess_61x40.png", "preprocess_33x47.png", "turned.jpg", "rgba.png"]),
    "clip_new": ({"image_processor_type": "CLIPImageProcessorFast", "do_convert_rgb": True,
                  "crop_size": {"height": 9, "width": 12}, "size": {"shortest_edge": 12},
                  "do_pad": None, "device": None, "input_data_format": None,
                  "processor_class": "CLIPProcessor"}, ["preprocess_200x33.png", "grey.jpg"]),
    "clip_padded": ({"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 8},
                     "crop_size": {"height": 13, "width": 11}},
                    ["preprocess_40x61.png", "preprocess_61x40.png", "preprocess_32x32.png"]),
    "clip_not_resized": ({"image_processor_type": "CLIPImageProcessor", "do_resize": False,
                          "crop_size": 8}, ["preprocess_33x47.png"]),
    "siglip": ({"image_processor_type": "SiglipImageProcessor", "do_rescale": True,
                "rescale_factor": 0.00392156862745098, "resample": 3,
                "processor_class": "SiglipProcessor", "size": {"height": 12, "width": 10}, **HALF},
               ["preprocess_61x40.png", "palette_transparent.png"]),
    "siglip2": ({"image_processor_type": "SiglipImageProcessorFast", "data_format":
                 "channels_first", "default_to_square": True, "do_center_crop": None,
                 "resample": 2, "size": {"height": 11, "width": 11}, **HALF},
                ["preprocess_40x61.png", "grey16.png"]),
    "vit": ({"feature_extractor_type": "ViTFeatureExtractor", "size": 12, "resample": 2, **HALF},
            ["preprocess_200x33.png", "cmyk.jpg"]),
    "vit_lanczos": ({"image_processor_type": "ViTImageProcessor", "size": [8, 13], "resample": 1,
                     "do_rescale": False, "image_mean": [100, 110, 120], "image_std": 50},
                    ["preprocess_33x47.png"]),
    "dinov2": ({"image_processor_type": "BitImageProcessor", "crop_size": {"height": 10, "width":
                10}, "do_center_crop": True, "do_convert_rgb": True, "resample": 3,
                "size": {"shortest_edge": 12}, **IMAGENET},
               ["preprocess_61x40.png", "preprocess_33x47.png"]),
    "bit_plain": ({"image_processor_type": "BitImageProcessor", "do_center_crop": False,
                   "do_normalize": False, "resample": 4, "size": {"height": 9, "width": 14}},
                  ["preprocess_32x32.png"]),
    "resnet": ({"feature_extractor_type": "ConvNextFeatureExtractor", "crop_pct": 0.875,
                "do_normalize": True, "do_resize": True, "resample": 3, "size": 12, **IMAGENET},
               ["preprocess_61x40.png", "preprocess_40x61.png", "preprocess_33x47.png"]),
    "convnext": ({"image_processor_type": "ConvNextImageProcessor", "resample": 2,
                  "size": {"shortest_edge": 9}}, ["preprocess_200x33.png"]),
    "efficientnet": ({"image_processor_type": "EfficientNetImageProcessor", "do_center_crop": False,
                      "include_top": True, "rescale_offset": False, "resample": 0, "size":
                      {"height": 12, "width": 12}, **IMAGENET},
                     ["preprocess_61x40.png", "preprocess_33x47.png"]),
    "efficientnet_offset": ({"image_processor_type": "EfficientNetImageProcessor", "size": 10,
                             "include_top": False, "rescale_offset": True, "resample": 5,
                             "rescale_factor": 1 / 127.5, "do_normalize": False},
                            ["preprocess_40x61.png"]),
}


def main():
    cases = []
    for name, (config, images) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "preprocessor_config.json").write_text(json.dumps(config))
            processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
        for image in images:
            pixels = processor(str(HERE.parent / image), return_tensors="np")["pixel_values"][0]
            pixels = np.moveaxis(pixels, 0, -1)
            cases.append({"name": name, "config": config, "image": image,
                          "height": pixels.shape[0], "width": pixels.shape[1],
                          "pixels": [round(float(value), 4) for value in pixels.flatten()]})
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (HERE / "goldens.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
