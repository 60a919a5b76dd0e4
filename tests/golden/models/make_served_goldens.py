#!/usr/bin/env python3
"""Makes the goldens of whole folders, from a text or a picture's file to its vector.

usage: make_served_goldens.py [NAME...]        (needs torch, transformers; all by default)

A model, its tokenizer and its image processor are saved by transformers, the weights replaced by
made-up ones, and everything is loaded again from the folder, as whoever downloads a checkpoint does
it: AutoTokenizer, AutoImageProcessor (with Pillow), the model. tests/integration/families_test.py
writes the same folder and asks `terminus up` for the same vectors. Each golden has

  config, tensors, files   the folder
  texts    groups of {prompt_name, texts, tokens, vectors}; tokens are those after truncation
  images   files of tests/golden/media, and image_vectors beside them
"""

import json
import pathlib
import sys
import tempfile

import tokenizers
import torch
import transformers
from make_goldens import HERE, rounded, write
from make_tower_goldens import IMAGE, TEXT, modules, of_class_token, rebuild
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers
from transformers.image_utils import load_image

MEDIA = HERE.parent / "media"
# No two alike: wide, tall, by JPEG and WebP with loss, turned by Exif, grey, with transparency.
PICTURES = ["preprocess_200x33.png", "preprocess_33x47.png", "rgb420.jpg", "turned.jpg", "grey.jpg",
            "lossy.webp", "rgba.png"]
CORPUS = """A cat sleeps on the warm roof of the old house by the river.
The cats of the harbour wait for the fishing boats every morning.
Two dogs run along the beach, and a child throws them a red ball.
How many kilometres is it from the lighthouse to the next village?
It's raining; don't forget the umbrella that hangs behind the door!
She'll paint the wooden fence green in April 2024, or so she says.
A café in Zürich sells crème brûlée (and naïve little pictures) for 7.50.
Represent this sentence for searching relevant passages: query, passage, document.
Instruct: given a question, find what answers it. Query: where do storks spend the winter?
The quick brown fox jumps over the lazy dog. SPHINX OF BLACK QUARTZ, JUDGE MY VOW 0123456789
Кошка спит на крыше. 猫が屋根で眠る。 😀👍""".splitlines()
TEXTS = ["cat", "A cat sleeps on the roof.", "!", "How many boats is it from the harbour?",
         "Crème brûlée, naïve  Zürich\tCAFÉ!", "Кошка 猫 😀 don't", " ".join(CORPUS[:6])]
IMAGENET = dict(image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])
CLIP_NORM = dict(image_mean=[0.48145466, 0.4578275, 0.40821073],
                 image_std=[0.26862954, 0.26130258, 0.27577711])
BICUBIC, BILINEAR = 3, 2


def trained(name, made, trainer):
    """The "model" of the committed golden's tokenizer.json. Without such a golden, the one that
    `made` learns from CORPUS: learning breaks ties at random, so that each run gives other ids."""
    golden = HERE / f"served/{name}.json"
    if golden.exists():
        return json.loads(golden.read_text())["files"]["tokenizer.json"]["model"]
    made.train_from_iterator(CORPUS, trainer)
    return json.loads(made.to_str())["model"]


def bpe_of(name, shape, size, **options):
    """Vocabulary and merges for a tokenizer that cuts and writes words as `shape` does."""
    made = tokenizers.Tokenizer(models.BPE(**{key: options[key] for key in options
                                              if key == "end_of_word_suffix"}))
    made.normalizer, made.pre_tokenizer = shape.normalizer, shape.pre_tokenizer
    model = trained(name, made, trainers.BpeTrainer(vocab_size=size, show_progress=False, **options))
    return {"vocab": model["vocab"], "merges": [tuple(merge) for merge in model["merges"]]}


def clip_tokenizer():
    special = ["<|startoftext|>", "<|endoftext|>"]
    shape = transformers.CLIPTokenizer().backend_tokenizer
    learned = bpe_of("clip", shape, 220, end_of_word_suffix="</w>", special_tokens=special)
    return transformers.CLIPTokenizer(**learned, model_max_length=32)


def siglip_tokenizer():
    """Unigram behind lower case without punctuation, `</s>` behind the text and as padding."""
    made = tokenizers.Tokenizer(models.Unigram())
    made.normalizer = normalizers.Sequence([
        normalizers.Lowercase(), normalizers.Replace(tokenizers.Regex(r"[!-/:-@\[-`{-~]"), ""),
        normalizers.Replace(tokenizers.Regex(r"\s+"), " "), normalizers.Strip()])
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = tokenizers.decoders.Metaspace()
    learned = trained("siglip", made, trainers.UnigramTrainer(
        vocab_size=190, show_progress=False, unk_token="<unk>", special_tokens=["<unk>", "</s>"]))
    made.model = models.Unigram([tuple(piece) for piece in learned["vocab"]], learned["unk_id"])
    made.post_processor = processors.TemplateProcessing(single="$A </s>",
                                                        special_tokens=[("</s>", 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", eos_token="</s>", pad_token="</s>",
        model_max_length=24, model_input_names=["input_ids"])


def gemma_tokenizer():
    """SigLIP 2's: Gemma's BPE with bytes for what it has no token for, `<eos>` behind the text."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    letters = tokenizers.Tokenizer(models.BPE())
    letters.normalizer = normalizers.Replace(" ", "▁")
    letters.pre_tokenizer = pre_tokenizers.Metaspace()
    learned = bpe_of("siglip2", letters, 410, limit_alphabet=40,
                     special_tokens=special + [f"<0x{byte:02X}>" for byte in range(256)])
    made = transformers.GemmaTokenizer(**learned, model_max_length=32, padding_side="right",
                                       model_input_names=["input_ids"])
    made.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", 1)])
    return made


def bert_tokenizer(name):
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    shape = transformers.BertTokenizer().backend_tokenizer
    made = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = shape.normalizer, shape.pre_tokenizer
    model = trained(name, made, trainers.WordPieceTrainer(
        vocab_size=220, show_progress=False, limit_alphabet=40, special_tokens=special))
    return transformers.BertTokenizer(vocab=model["vocab"], model_max_length=32)


def qwen_tokenizer():
    """Byte-level BPE, `<|endoftext|>` behind the text, as Qwen3-Embedding's."""
    shape = transformers.Qwen2Tokenizer().backend_tokenizer
    learned = bpe_of("qwen3", shape, 380, special_tokens=["<|endoftext|>"],
                     initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    made = transformers.Qwen2Tokenizer(**learned, model_max_length=64, padding_side="left")
    end = made.convert_tokens_to_ids("<|endoftext|>")
    made.backend_tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="$A <|endoftext|>",
                                      special_tokens=[("<|endoftext|>", end)])])
    return made


def text_groups(folder, tokenizer, embed, prompts):
    """`embed` gets what the tokenizer makes of one text."""
    written = tokenizers.Tokenizer.from_file(str(pathlib.Path(folder, "tokenizer.json")))
    written.no_padding()
    written.enable_truncation(tokenizer.model_max_length)
    groups = []
    for name, prompt in {"": "", **prompts}.items():
        tokens, vectors = [], []
        for text in TEXTS:
            # One at a time: whether a batch changes anything is what the tests ask.
            fields = tokenizer(prompt + text, truncation=True, return_tensors="pt",
                               padding="max_length" if embed.pads else False)
            ids = written.encode(prompt + text).ids
            assert fields.input_ids[0].tolist()[:len(ids)] == ids, (text, fields.input_ids, ids)
            tokens.append(len(ids))
            vectors.append(rounded(embed(fields)))
        groups.append({"prompt_name": name, "texts": TEXTS, "tokens": tokens, "vectors": vectors})
    return groups


def serve(name, model, tokenizer=None, processor=None, embed_text=None, embed_image=None,
          files=None, pads=False):
    """`files` are those that no library but sentence-transformers would write."""
    golden, files = {}, files or {}
    with tempfile.TemporaryDirectory() as folder:
        model, golden["config"], golden["tensors"] = rebuild(model, folder)
        for part in (tokenizer, processor):
            if part is not None:
                part.save_pretrained(folder)
        golden["files"] = {**files, **{path.name: json.loads(path.read_text())
                                       for path in sorted(pathlib.Path(folder).glob("*.json"))
                                       if path.name != "config.json"}}
        if tokenizer is not None:
            def embed(fields):
                return embed_text(model, fields)

            embed.pads = pads
            prompts = files.get("config_sentence_transformers.json", {}).get("prompts", {})
            golden["texts"] = text_groups(folder, transformers.AutoTokenizer.from_pretrained(folder),
                                          embed, prompts)
        if processor is not None:
            pillow = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
            golden["images"] = PICTURES
            golden["image_vectors"] = [
                rounded(embed_image(model, pillow(load_image(str(MEDIA / picture)),
                                                  return_tensors="pt").pixel_values))
                for picture in PICTURES]
    write(f"served/{name}", golden)


def text_features(model, fields):
    return model.get_text_features(**fields).pooler_output[0]


def image_features(model, pixels):
    return model.get_image_features(pixel_values=pixels).pooler_output[0]


def clip():
    tokenizer = clip_tokenizer()
    image_processor = transformers.CLIPImageProcessor(
        size={"shortest_edge": 48}, crop_size={"height": 48, "width": 48}, **CLIP_NORM)
    model = transformers.CLIPModel(transformers.CLIPConfig(
        text_config=dict(TEXT, vocab_size=len(tokenizer), max_position_embeddings=32,
                         eos_token_id=tokenizer.eos_token_id),
        vision_config=IMAGE, projection_dim=24))
    # All of it in processor_config.json, as transformers 5 writes it.
    serve("clip", model, tokenizer,
          transformers.CLIPProcessor(image_processor=image_processor, tokenizer=tokenizer),
          text_features, image_features)


def siglip_of(name, tokenizer, patch, resample):
    sizes = dict(TEXT, hidden_size=36, num_attention_heads=3, vocab_size=len(tokenizer))
    model = transformers.SiglipModel(transformers.SiglipConfig(
        text_config=dict(sizes, max_position_embeddings=tokenizer.model_max_length),
        vision_config=dict(IMAGE, patch_size=patch)))
    processor = transformers.SiglipImageProcessor(size={"height": 48, "width": 48},
                                                  resample=resample)
    serve(name, model, tokenizer, processor, text_features, image_features, pads=True)


def siglip():
    siglip_of("siglip", siglip_tokenizer(), 16, BICUBIC)


def siglip2():
    """A checkpoint of a fixed resolution: SigLIP's model, another tokenizer and filter."""
    siglip_of("siglip2", gemma_tokenizer(), 12, BILINEAR)


def bert_of(name, pool, mode, prompts):
    tokenizer = bert_tokenizer(name)
    model = transformers.BertModel(transformers.BertConfig(
        **{**TEXT, "vocab_size": len(tokenizer)}, max_position_embeddings=40))

    def embed(model, fields):
        return torch.nn.functional.normalize(pool(model(**fields).last_hidden_state[0]), dim=0)

    serve(name, model, tokenizer, embed_text=embed, files={
        **modules(mode, True), "sentence_bert_config.json": {"max_seq_length": 32},
        "config_sentence_transformers.json": {"prompts": prompts, "default_prompt_name": None}})


def bge():
    bert_of("bge", lambda states: states[0], "cls_token",
            {"query": "Represent this sentence for searching relevant passages: "})


def e5():
    bert_of("e5", lambda states: states.mean(0), "mean_tokens",
            {"query": "query: ", "passage": "passage: "})


def qwen3():
    tokenizer = qwen_tokenizer()
    model = transformers.Qwen3Model(transformers.Qwen3Config(
        **{**TEXT, "vocab_size": len(tokenizer)}, head_dim=32, num_key_value_heads=1,
        max_position_embeddings=96, rope_theta=1e6))

    def embed(model, fields):
        return torch.nn.functional.normalize(model(**fields).last_hidden_state[0, -1], dim=0)

    prompt = "Instruct: find what answers\nQuery:"
    serve("qwen3", model, tokenizer, embed_text=embed, files={
        **modules("lasttoken", True), "sentence_bert_config.json": {"max_seq_length": 64},
        "config_sentence_transformers.json": {"prompts": {"query": prompt, "document": ""},
                                              "default_prompt_name": None}})


def vit():
    serve("vit", transformers.ViTModel(transformers.ViTConfig(**IMAGE)),
          processor=transformers.ViTImageProcessor(size={"height": 48, "width": 48},
                                                   resample=BILINEAR),
          embed_image=lambda model, pixels: of_class_token(model, pixels)[0])


def dinov2():
    """Positions of 5 × 5 patches, brought to the 4 × 4 of the processor's pictures."""
    sizes = {key: IMAGE[key] for key in IMAGE if key != "intermediate_size"}
    serve("dinov2", transformers.Dinov2Model(transformers.Dinov2Config(
        **{**sizes, "image_size": 70, "patch_size": 14}, mlp_ratio=2)),
        processor=transformers.BitImageProcessor(
            size={"shortest_edge": 64}, crop_size={"height": 56, "width": 56}, resample=BICUBIC,
            **IMAGENET),
        embed_image=lambda model, pixels: of_class_token(model, pixels)[0])


def resnet():
    serve("resnet", transformers.ResNetModel(transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[16, 32], depths=[1, 2])),
        processor=transformers.ConvNextImageProcessor(size={"shortest_edge": 64}, crop_pct=0.875,
                                                      resample=BICUBIC, **IMAGENET),
        embed_image=lambda model, pixels: model(pixel_values=pixels).pooler_output.flatten())


GOLDENS = [clip, siglip, siglip2, bge, e5, qwen3, vit, dinov2, resnet]


def main():
    torch.set_grad_enabled(False)
    (HERE / "served").mkdir(exist_ok=True)
    for make in GOLDENS:
        if len(sys.argv) == 1 or make.__name__ in sys.argv[1:]:
            make()


if __name__ == "__main__":
    main()
