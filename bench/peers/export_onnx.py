"""Exports the bundle's encoders to ONNX, once: kept in TERMINUS_HOME/bench by what they were made of."""

import hashlib
import os

import onnx
import onnxruntime
import torch

import environment
import reference


def _digest(modality, bundle):
    """Of everything an export depends on: the weights' identity and the code that exports."""
    digest = hashlib.sha256(f"{torch.__version__} {onnxruntime.__version__} {onnx.__version__}".encode())
    for path in (__file__, reference.__file__, os.path.join(bundle, "bundle.yaml")):
        with open(path, "rb") as file:
            digest.update(file.read())
    weights = os.stat(os.path.join(bundle, "text" if modality == "text" else "vision", "model.safetensors"))
    digest.update(f"{weights.st_size} {weights.st_mtime_ns}".encode())
    return digest.hexdigest()[:16]


def _export_text(encoder, path):
    ids = torch.randint(1000, 2000, (2, 12))
    mask = torch.ones_like(ids)
    mask[1, 8:] = 0
    dynamic = {0: "batch", 1: "tokens"}
    torch.onnx.export(encoder, (ids, mask), path, dynamo=False, opset_version=17,
                      input_names=["input_ids", "attention_mask"], output_names=["vectors"],
                      dynamic_axes={"input_ids": dynamic, "attention_mask": dynamic, "vectors": {0: "batch"}})


def _fuse_text(encoder, path):
    """ONNX Runtime's own tool: one node each for attention, GELU and layer norm with its residual."""
    from onnxruntime.transformers import optimizer
    config = encoder.bert.config
    fused = optimizer.optimize_model(path, model_type="bert", num_heads=config.num_attention_heads,
                                     hidden_size=config.hidden_size, opt_level=0)
    fused.save_model_to_file(path)


def _export_image(encoder, path):
    torch.onnx.export(encoder, (torch.randn(2, 3, 224, 224),), path, dynamo=False, opset_version=17,
                      input_names=["pixels"], output_names=["vectors"],
                      dynamic_axes={"pixels": {0: "batch"}, "vectors": {0: "batch"}})


def exported(modality, bundle):
    """Path of the ONNX file for `modality`, made if need be."""
    folder = os.path.join(environment.terminus_home(), "bench", "onnx")
    path = os.path.join(folder, f"{modality}-{_digest(modality, bundle)}.onnx")
    if os.path.exists(path):
        return path
    os.makedirs(folder, exist_ok=True)
    partial = path + ".partial"
    with torch.no_grad():
        if modality == "text":
            # Eager attention: the pattern that the fusion below looks for.
            encoder = reference.TextEncoder(bundle, attention="eager").eval()
            _export_text(encoder, partial)
            _fuse_text(encoder, partial)
        else:
            _export_image(reference.load("image", bundle), partial)
    os.replace(partial, path)
    return path
