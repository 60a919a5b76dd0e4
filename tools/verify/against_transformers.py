"""Compares what Terminus and transformers make of a model's folder: `terminus model verify --against transformers`.

Run by terminus-verify, which it asks for its side. Prints a table, or one line of JSON; exit status 0 when all is
equal, 1 when anything differs or cannot be compared, 2 when this Python has no transformers.
"""

import argparse
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import zlib

# Largest difference of an element, over the largest element.
TOLERANCE = 1e-4
TEXTS = ["cat", "A cat sleeps on the warm roof of the old house.", "How many boats wait in the harbour?",
         "Crème brûlée, naïve  Zürich\tCAFÉ!", "Кошка спит. 猫が屋根で眠る。 😀", "don't 1,234.50 || <x> #tag",
         "The quick brown fox jumps over the lazy dog. " * 40]
PROMPTS = ["The capital of France is", "1 2 3 4", "Once upon a time, in a", "def add(a, b):\n    return"]
# Tokens that a prompt is continued by.
TOKENS = 8
SIZES = [(64, 64), (200, 33), (33, 47), (301, 240)]


def fail(message, status=1):
    print(f"terminus: {message}", file=sys.stderr)
    sys.exit(status)


# The folder is all that is compared; nothing is looked for elsewhere.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
try:
    import torch
    import transformers
except ImportError as error:
    fail(f"{sys.executable} cannot compare: {error}; name a Python with torch and transformers with --python or in "
         "TERMINUS_PYTHON", 2)


def write_png(path, width, height):
    """A picture of ramps and stripes, made without any library."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            rows += bytes((x * 255 // width, y * 255 // height, (x // 3 * 40 + y * 7) & 255))

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(rows))) +
                     chunk(b"IEND", b""))


def ask(arguments, inputs, scratch):
    """Terminus' answers, or the end of this process with its error."""
    path = scratch / "inputs.json"
    path.write_text(json.dumps(inputs))
    done = subprocess.run([arguments.program, "--answer", str(path), "--device", arguments.device, "--",
                           arguments.folder], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(done.returncode)
    return json.loads(done.stdout)


class Reference:
    """The folder as transformers loads it, in float32."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.is_sentence = (self.folder / "modules.json").exists()
        config = self.folder / "config.json"
        self.config = json.loads(config.read_text()) if config.exists() else {}
        self.type = self.config.get("model_type", "")
        if "architecture" in self.config:
            raise NotImplementedError("folders of timm are not compared")
        self.model = self.load(folder)

    def load(self, folder):
        if self.is_sentence:
            try:
                import sentence_transformers
            except ImportError as error:
                raise NotImplementedError(f"modules.json needs sentence-transformers: {error}") from error
            return sentence_transformers.SentenceTransformer(
                folder, device="cpu", model_kwargs={"dtype": torch.float32}).eval()
        classes = {"clip_text_model": "CLIPTextModelWithProjection", "siglip_text_model": "SiglipTextModel",
                   "clip_vision_model": "CLIPVisionModelWithProjection", "siglip_vision_model": "SiglipVisionModel"}
        if self.type in ("llama", "mistral", "qwen2", "qwen3", "smollm3"):
            made = transformers.AutoModelForCausalLM
        else:
            made = getattr(transformers, classes.get(self.type, "AutoModel"))
        return made.from_pretrained(folder, dtype=torch.float32).eval()

    def tokenizer(self):
        return transformers.AutoTokenizer.from_pretrained(self.folder)

    def text(self, text):
        """Token ids and the vector."""
        if self.is_sentence:
            fields = self.model.tokenize([text]) if not hasattr(self.model, "preprocess") else \
                self.model.preprocess([text])
            ids = fields["input_ids"][0].tolist()
            return ids, self.model.encode([text], convert_to_tensor=True)[0]
        tokenizer = self.tokenizer()
        siglip = self.type.startswith("siglip")
        text_config = self.config.get("text_config") or self.config
        limit = min(tokenizer.model_max_length,
                    getattr(self.model.config.get_text_config(), "max_position_embeddings", tokenizer.model_max_length)
                    if text_config else tokenizer.model_max_length)
        fields = tokenizer(text, truncation=True, max_length=limit, return_tensors="pt",
                           padding="max_length" if siglip else False)
        ids = tokenizer(text, truncation=True, max_length=limit).input_ids
        if self.type in ("clip", "siglip"):
            vector = self.model.get_text_features(**fields)
            vector = getattr(vector, "pooler_output", vector)[0]
        elif self.type == "clip_text_model":
            vector = self.model(**fields).text_embeds[0]
        elif self.type == "siglip_text_model":
            vector = self.model(**fields).pooler_output[0]
        else:  # Without modules.json the mean of all tokens.
            vector = self.model(**fields).last_hidden_state[0].mean(0)
        return ids, vector

    def image(self, path):
        from PIL import Image
        try:
            processor = transformers.AutoImageProcessor.from_pretrained(self.folder, backend="pil")
        except TypeError:
            processor = transformers.AutoImageProcessor.from_pretrained(self.folder, use_fast=False)
        pixels = processor(Image.open(path).convert("RGB"), return_tensors="pt").pixel_values
        if self.type in ("clip", "siglip"):
            vector = self.model.get_image_features(pixel_values=pixels)
            return getattr(vector, "pooler_output", vector)[0]
        made = self.model(pixel_values=pixels)
        if self.type == "clip_vision_model":
            return made.image_embeds[0]
        if self.type in ("siglip_vision_model", "resnet"):
            return made.pooler_output.flatten()
        return made.last_hidden_state[0, 0]

    def prompt(self, prompt):
        """Token ids, the logits behind them, and the likeliest tokens from there on, with their leads."""
        ids = self.tokenizer()(prompt).input_ids
        first, continuation, leads = None, [], []
        for _ in range(TOKENS):
            logits = self.model(torch.tensor([ids + continuation])).logits[0, -1]
            first = logits if first is None else first
            best = logits.topk(2)
            continuation.append(int(best.indices[0]))
            leads.append(float(best.values[0] - best.values[1]))
        return ids, first, continuation, leads


def difference(ours, theirs):
    ours = torch.tensor(ours, dtype=torch.float64)
    theirs = theirs.detach().to(torch.float64)
    if ours.shape != theirs.shape:
        return float("inf")
    return float((ours - theirs).abs().max() / theirs.abs().max().clamp_min(1e-12))


def compare(kind, shown, answer, reference):
    """A row: what differs in words, or nothing, and the largest difference."""
    row = {"kind": kind, "input": shown, "difference": None, "fault": ""}
    if "error" in answer:
        row["fault"] = f"refused: {answer['error']}"
        return row
    try:
        expected = reference()
    except Exception as error:  # Whatever it is, the row says so.
        row["fault"] = f"transformers fails: {type(error).__name__}: {error}".splitlines()[0]
        return row
    ids, vector = (None, expected) if kind == "image" else expected[:2]
    if ids is not None and answer["token_ids"] != ids:
        row["fault"] = f"other tokens: {answer['token_ids'][:12]}, transformers has {ids[:12]}"
        return row
    row["difference"] = difference(answer["logits" if kind == "prompt" else "vector"], vector)
    if not row["difference"] <= TOLERANCE:
        row["fault"] = "off"
    if kind == "prompt":
        for made, wanted, lead in zip(answer["continuation"], expected[2], expected[3]):
            # From a near tie on, both are right and no longer comparable.
            if lead <= 2 * TOLERANCE * float(vector.abs().max()):
                break
            if made != wanted:
                row["fault"] = f"continues with {answer['continuation']}, transformers with {expected[2]}"
                break
    return row


def format_table(rows):
    lines = []
    for row in rows:
        shown = row["input"].replace("\n", " ")
        shown = shown if len(shown) <= 48 else shown[:47] + "…"
        number = "-" if row["difference"] is None else f"{row['difference']:.1e}"
        lines.append(f"{row['kind']:<8}{number:>9}  {shown:<50}{row['fault'] or 'equal'}".rstrip())
    bad = sum(bool(row["fault"]) for row in rows)
    lines.append(f"{len(rows)} compared with transformers {transformers.__version__}, {bad} differ; "
                 f"allowed is {TOLERANCE:.0e} of the largest element")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(prog="terminus model verify --against transformers")
    parser.add_argument("folder")
    parser.add_argument("--program", required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if os.path.exists(os.path.join(arguments.folder, "bundle.yaml")):
        fail("a bundle is no folder of transformers; name one of its models' folders")
    torch.set_grad_enabled(False)
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        pictures = []
        for i, (width, height) in enumerate(SIZES):
            path = scratch / f"{width}x{height}.png"
            write_png(path, width, height)
            pictures.append(str(path))
        answers = ask(arguments, {"texts": TEXTS, "images": pictures, "prompts": PROMPTS, "tokens": TOKENS}, scratch)
        try:
            reference = Reference(arguments.folder)
        except Exception as error:
            fail(f"transformers cannot load {arguments.folder}: {type(error).__name__}: {error}")
        rows = [compare("text", text, answer, lambda: reference.text(text))
                for text, answer in zip(TEXTS, answers.get("texts", []))]
        rows += [compare("image", pathlib.Path(path).stem, answer, lambda: reference.image(path))
                 for path, answer in zip(pictures, answers.get("images", []))]
        rows += [compare("prompt", prompt, answer, lambda: reference.prompt(prompt))
                 for prompt, answer in zip(PROMPTS, answers.get("prompts", []))]
    good = bool(rows) and not any(row["fault"] for row in rows)
    if arguments.json:
        print(json.dumps({"folder": arguments.folder, "transformers": transformers.__version__, "good": good,
                          "tolerance": TOLERANCE, "compared": rows}, ensure_ascii=False))
    else:
        print(format_table(rows))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
