"""Picture files → network input, step for step as Hugging Face's image processors do it."""

import numpy
from PIL import Image

# The network was trained on (pixel - 127) / 128; timm runs it with 0.5 and 0.5 over [0, 1], which
# differs by less than one grey level, and is what checkpoints in timm's form are served with.
PREPROCESSOR = {
    "image_processor_type": "BitImageProcessor",
    "do_convert_rgb": True,
    "do_resize": True,
    "size": {"shortest_edge": 256},
    "resample": Image.Resampling.BICUBIC.value,
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def read_rgb(path):
    """Opens a picture as RGB; what is transparent shows white."""
    with Image.open(path) as image:
        if image.mode == "RGB":
            return image.copy()
        rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba).convert("RGB")


def resized(size, shortest):
    """(width, height) after the shorter edge became `shortest`; the longer is rounded down."""
    width, height = size
    if width <= height:
        return shortest, int(shortest * height / width)
    return int(shortest * width / height), shortest


def to_pixels(image):
    """An RGB image → float32 [3, 224, 224]."""
    image = image.resize(resized(image.size, PREPROCESSOR["size"]["shortest_edge"]),
                         Image.Resampling.BICUBIC)
    crop = PREPROCESSOR["crop_size"]
    left, top = (image.width - crop["width"]) // 2, (image.height - crop["height"]) // 2
    image = image.crop((left, top, left + crop["width"], top + crop["height"]))
    pixels = numpy.asarray(image, numpy.float32) * numpy.float32(PREPROCESSOR["rescale_factor"])
    mean, std = (numpy.array(PREPROCESSOR[k], numpy.float32) for k in ("image_mean", "image_std"))
    return ((pixels - mean) / std).transpose(2, 0, 1)
