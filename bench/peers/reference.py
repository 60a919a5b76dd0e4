"""The bundle's encoders as PyTorch modules, from the peers' own model code and the bundle's weights."""

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


def load(modality, bundle):
    """The encoder of `modality`, for inference."""
    encoder = TextEncoder(bundle) if modality == "text" else ImageEncoder(bundle)
    return encoder.eval()
