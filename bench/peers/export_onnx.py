"""Exports encoders to ONNX, once: kept in TERMINUS_HOME/bench by what they were made of."""

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
    described = os.path.join(bundle, "bundle.yaml" if reference.is_bundle(bundle) else "config.json")
    for path in (__file__, reference.__file__, described):
        with open(path, "rb") as file:
            digest.update(file.read())
    weights = os.stat(reference.weights_of(modality, bundle))
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


def _fusion_of(modality, encoder):
    """What ONNX Runtime's tool is to look for, and the config of that tower; None where it has nothing for it."""
    if hasattr(encoder, "bert"):
        return "bert", encoder.bert.config
    if modality == "text":
        config = encoder.model.config
        return ("clip", config.text_config) if config.model_type == "clip" else None
    kind = getattr(encoder, "kind", None)
    if kind == "clip":
        return "clip", encoder.model.config.vision_config
    return ("vit", encoder.model.config) if kind in ("vit", "dinov2") else None


def _fuse(modality, encoder, path):
    """ONNX Runtime's own tool: one node each for attention, GELU and layer norm with its residual."""
    from onnxruntime.transformers import optimizer
    fusion = _fusion_of(modality, encoder)
    if fusion is None:
        return
    kind, config = fusion
    fused = optimizer.optimize_model(path, model_type=kind, num_heads=config.num_attention_heads,
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
        # Eager attention: the pattern that the fusions look for.
        encoder = reference.load(modality, bundle, attention="eager")
        (_export_text if modality == "text" else _export_image)(encoder, partial)
        _fuse(modality, encoder, partial)
    os.replace(partial, path)
    return path
