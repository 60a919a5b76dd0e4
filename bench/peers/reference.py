"""Encoders as PyTorch modules, from the peers' own model code: a bundle's, or those of a folder by transformers."""

import json
import os

import safetensors.torch
import timm
import torch
import transformers
import yaml


class TextEncoder(torch.nn.Module):
    """token ids and mask [batch, tokens] → mean-pooled, unit-length vectors [batch, hidden]."""

    def __init__(self, bundle, attention="sdpa"):
        super().__init__()
        folder = os.path.join(bundle, "text")
        self.bert = transformers.BertModel.from_pretrained(
            folder, attn_implementation=attention, add_pooling_layer=False, dtype=torch.float32)

    def forward(self, input_ids, attention_mask):
        hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weight = attention_mask.unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * weight).sum(1) / weight.sum(1)
        return torch.nn.functional.normalize(pooled, dim=-1)


class ImageEncoder(torch.nn.Module):
    """pixels [batch, 3, 224, 224] → vectors [batch, dimension] of the shared space, through the class mixture."""

    def __init__(self, bundle):
        super().__init__()
        with open(os.path.join(bundle, "vision", "config.json")) as file:
            config = json.load(file)
        with open(os.path.join(bundle, "bundle.yaml")) as file:
            projection = yaml.safe_load(file)["vision"]["projection"]
        if projection["type"] != "class_mixture":
            raise SystemExit(f"the peers know the projection class_mixture only, not {projection['type']}")
        self.model = timm.create_model(config["architecture"], num_classes=config["num_classes"])
        self.model.load_state_dict(safetensors.torch.load_file(os.path.join(bundle, "vision", "model.safetensors")))
        self.top_k = projection["top_k"]
        self.temperature = projection["temperature"]
        tensors = safetensors.torch.load_file(os.path.join(bundle, projection["path"]))
        self.register_buffer("class_vectors", tensors["class_vectors"])

    def forward(self, pixels):
        probabilities = torch.softmax(self.model(pixels) / self.temperature, dim=-1)
        best, classes = probabilities.topk(self.top_k, dim=-1)
        weights = best / best.sum(-1, keepdim=True)
        return (weights.unsqueeze(-1) * self.class_vectors[classes]).sum(1)


class FolderTextEncoder(torch.nn.Module):
    """token ids and mask [batch, tokens] → CLIP's text features, or the last token's state at length 1."""

    def __init__(self, folder, attention="sdpa"):
        super().__init__()
        self.model = transformers.AutoModel.from_pretrained(folder, attn_implementation=attention, dtype=torch.float32)

    def forward(self, input_ids, attention_mask):
        if hasattr(self.model, "get_text_features"):
            return self.model.get_text_features(input_ids=input_ids, attention_mask=attention_mask).pooler_output
        hidden = self.model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).last_hidden_state
        rows = torch.arange(hidden.shape[0])
        return torch.nn.functional.normalize(hidden[rows, attention_mask.sum(1) - 1], dim=-1)


class FolderImageEncoder(torch.nn.Module):
    """pixels [batch, 3, 224, 224] → CLIP's image features, the class token's state or the pooled features."""

    def __init__(self, folder, attention="sdpa"):
        super().__init__()
        with open(os.path.join(folder, "config.json")) as file:
            kind = json.load(file)["model_type"]
        options = {} if kind == "resnet" else {"attn_implementation": attention}
        if kind == "vit":
            options["add_pooling_layer"] = False
        self.model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32, **options)
        self.kind = kind

    def forward(self, pixels):
        if self.kind == "clip":
            return self.model.get_image_features(pixel_values=pixels).pooler_output
        if self.kind == "resnet":
            return self.model(pixel_values=pixels).pooler_output.flatten(1)
        return self.model(pixel_values=pixels).last_hidden_state[:, 0]


def is_bundle(folder):
    return os.path.exists(os.path.join(folder, "bundle.yaml"))


def load(modality, folder, attention="sdpa"):
    """The encoder of `modality`, for inference."""
    if not is_bundle(folder):
        kind = FolderTextEncoder if modality == "text" else FolderImageEncoder
        return kind(folder, attention).eval()
    return (TextEncoder(folder, attention) if modality == "text" else ImageEncoder(folder)).eval()


def weights_of(modality, folder):
    """The model.safetensors that holds the encoder."""
    part = ("text" if modality == "text" else "vision") if is_bundle(folder) else ""
    return os.path.join(folder, part, "model.safetensors")
