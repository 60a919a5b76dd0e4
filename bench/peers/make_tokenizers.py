"""Makes a tokenizer.json of each kind for time_tokenizers.py.

    make_tokenizers.py FOLDER [VOCABULARY...]

Without vocabularies: small ones of each kind, trained with the library `tokenizers` on mixed
lines. A VOCABULARY is what a package ships: bpe_simple_vocab_16e6.txt.gz of the wheel of
open-clip-torch, or a ggml-vocab-*.gguf of the source distribution of llama-cpp-python whose model is SentencePiece's
BPE ("llama") or unigram ("t5"). Prints the files that it wrote.
"""

import gzip
import json
import pathlib
import struct
import sys

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests" / "golden" / "tokenizer"))
from mixed_lines import WORDS, lines  # noqa: E402

CLIP_SPLIT = (r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def clip(vocabulary, merges):
    """As transformers writes CLIP's."""
    made = tokenizers.Tokenizer(models.BPE(vocabulary, merges, unk_token="<|endoftext|>", end_of_word_suffix="</w>",
                                           continuing_subword_prefix=""))
    made.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "),
                                            normalizers.Lowercase()])
    made.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(CLIP_SPLIT), behavior="removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    made.post_processor = processors.RobertaProcessing(
        ("<|endoftext|>", made.token_to_id("<|endoftext|>")), ("<|startoftext|>", made.token_to_id("<|startoftext|>")),
        add_prefix_space=False, trim_offsets=False)
    return made


def clip_of_package(path):
    text = gzip.open(path).read().decode()
    merges = [tuple(line.split()) for line in text.split("\n")[1:49152 - 256 - 2 + 1]]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = alphabet + [c + "</w>" for c in alphabet] + ["".join(pair) for pair in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return {"clip": clip({token: i for i, token in enumerate(tokens)}, merges)}


def llama_decoder():
    return decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                              decoders.Strip(" ", 1, 0)])


def sentencepiece_bpe(vocabulary, merges):
    """The two ways in which files of Llama 2's kind are written, Gemma's, and one whose added tokens take space."""
    def model():
        return tokenizers.Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    prepend = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    found = {}
    found["llama"] = model()
    found["llama"].normalizer = prepend
    found["first"] = model()
    found["first"].pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=False)
    found["gemma"] = model()
    found["gemma"].normalizer = normalizers.Replace(" ", "▁")
    found["gemma"].pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    found["added"] = model()
    found["added"].normalizer = prepend
    for name, made in found.items():
        made.decoder = llama_decoder()
        made.add_special_tokens([tokenizers.AddedToken(token, normalized=False) for token in ("<unk>", "<s>", "</s>")])
        if name == "added":
            made.add_tokens([
                tokenizers.AddedToken("the", single_word=True, normalized=False),
                tokenizers.AddedToken("<|x|>", lstrip=True, normalized=False),
                tokenizers.AddedToken("||", rstrip=True, normalized=False),
                tokenizers.AddedToken("two", lstrip=True, rstrip=True, normalized=False),
                tokenizers.AddedToken("int", normalized=True), tokenizers.AddedToken("▁of", normalized=True)])
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", made.token_to_id("<s>"))])
    return found


def unigrams(vocabulary, unknown, charsmap, fallback=False):
    """As XLM-R's and T5's files are written."""
    def model():
        return tokenizers.Tokenizer(models.Unigram(vocabulary, unknown, fallback))
    found = {}
    for name, pre_tokenizer in {
        "xlmr": pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]),
        "t5": pre_tokenizers.Metaspace("▁", "always"),
        "whole": pre_tokenizers.Metaspace("▁", "first", split=False),
    }.items():
        made = found[name] = model()
        if charsmap is not None:
            steps = [normalizers.Precompiled(charsmap), normalizers.Replace(Regex(" {2,}"), " ")]
            if name == "t5":
                steps = [normalizers.Precompiled(charsmap), normalizers.Strip(False, True),
                         normalizers.Replace(Regex(" {2,}"), "▁")]
            made.normalizer = normalizers.Sequence(steps) if name != "whole" else normalizers.Precompiled(charsmap)
        made.pre_tokenizer = pre_tokenizer
        made.decoder = decoders.Metaspace()
        made.add_special_tokens([token for token in ("<s>", "</s>", "<unk>", "<pad>") if made.token_to_id(token)])
    return found


def gguf_fields(path):
    """The metadata of a GGUF file, version 3."""
    data = pathlib.Path(path).read_bytes()
    at = 24
    formats = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}

    def number(kind):
        nonlocal at
        value, = struct.unpack_from(formats[kind], data, at)
        at += struct.calcsize(formats[kind])
        return value

    def value(kind):
        nonlocal at
        if kind == 8:
            size = number(10)
            at += size
            return data[at - size:at].decode("utf-8", "replace")
        if kind == 9:
            item, count = number(4), number(10)
            return [value(item) for _ in range(count)]
        return number(kind)

    fields = {}
    for _ in range(struct.unpack_from("<Q", data, 16)[0]):
        key = value(8)
        fields[key] = value(number(4))
    return {key.removeprefix("tokenizer.ggml."): field for key, field in fields.items()}


def sentencepiece_merges(tokens, scores):
    """Every way to put a token together from two, those of the best first: what SentencePiece would join."""
    ids = {token: i for i, token in enumerate(tokens)}
    merges = []
    for token, score in zip(tokens, scores):
        halves = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
        pairs = [(ids[left], ids[right], left, right) for left, right in halves if left in ids and right in ids]
        merges += [(-score, *pair) for pair in sorted(pairs)]
    merges.sort(key=lambda merge: merge[0])
    return ids, [merge[3:] for merge in merges]


def of_gguf(path):
    fields = gguf_fields(path)
    name = pathlib.Path(path).stem.removeprefix("ggml-vocab-")
    if fields["model"] == "llama":
        made = sentencepiece_bpe(*sentencepiece_merges(fields["tokens"], fields["scores"]))
    elif fields["model"] == "t5":
        charsmap = fields.get("precompiled_charsmap")
        made = unigrams(list(zip(fields["tokens"], map(float, fields["scores"]))), fields["unknown_token_id"],
                        None if charsmap is None else bytes(byte & 0xFF for byte in charsmap))
    else:
        sys.exit(f"{path}: its model is {fields['model']}, expected llama or t5")
    return {f"{name}-{kind}": tokenizer for kind, tokenizer in made.items()}


def trained():
    # Of the rarest characters none: they are what is unknown.
    usual = set("".join(WORDS) + " \t\n")
    texts = ["".join(c for c in text if c in usual) for text in lines(3000)]
    made = tokenizers.Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    shape = clip({}, [])
    made.normalizer, made.pre_tokenizer = shape.normalizer, shape.pre_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=3000, end_of_word_suffix="</w>", initial_alphabet=alphabet, show_progress=False,
        special_tokens=["<|startoftext|>", "<|endoftext|>"]))
    model = json.loads(made.to_str())["model"]
    found = {"small-clip": clip(model["vocab"], [tuple(merge) for merge in model["merges"]])}

    made = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    made.normalizer = normalizers.Replace(" ", "▁")
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=3000, limit_alphabet=200, special_tokens=["<unk>", "<s>", "</s>", *BYTES], show_progress=False))
    model = json.loads(made.to_str())["model"]
    merges = [tuple(merge) for merge in model["merges"]]
    found |= {f"small-{kind}": bpe for kind, bpe in sentencepiece_bpe(model["vocab"], merges).items()}

    for kind, normalizer in {
        "nfkc": normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]),
        "accents": normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(),
                                         normalizers.Strip(True, True)]),
        "nfd": normalizers.NFD(), "plain": None,
    }.items():
        made = tokenizers.Tokenizer(models.Unigram())
        if normalizer is not None:
            made.normalizer = normalizer
        made.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Metaspace(), pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Punctuation()] if kind != "plain" else [pre_tokenizers.Metaspace("▁", "first", False)])
        made.decoder = decoders.Metaspace()
        made.train_from_iterator(texts, trainers.UnigramTrainer(
            vocab_size=2000, unk_token="<unk>", show_progress=False,
            special_tokens=["<unk>", "</s>"] + (BYTES if kind == "plain" else [])))
        if kind == "plain":
            document = json.loads(made.to_str())
            document["model"]["byte_fallback"] = True
            made = tokenizers.Tokenizer.from_str(json.dumps(document))
        made.post_processor = processors.TemplateProcessing(
            single="$A </s>", special_tokens=[("</s>", made.token_to_id("</s>"))])
        found[f"small-unigram-{kind}"] = made
    return found


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for path in sys.argv[2:]:
        found |= clip_of_package(path) if path.endswith(".txt.gz") else of_gguf(path)
    for name, tokenizer in (found or trained()).items():
        tokenizer.save(str(folder / f"{name}.json"))
        print(folder / f"{name}.json")


if __name__ == "__main__":
    main()
