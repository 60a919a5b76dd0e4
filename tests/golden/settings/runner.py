"""Runs the reference on a folder, with changed keys, and keeps what comes out.

A golden, as the scripts beside this one write it, has

  versions         of the libraries
  files            the folder's JSON files, by name
  served, taken    the golden of tests/golden/models/served that has its other files, and their names
  tensors          by file of weights: [[name, [sizes …]], …]; the values are made up (make_goldens.fill)
  texts, prompted, pictures, prompts
                   what is encoded (`prompted` texts once more, behind each prompt) or continued
  tables, paths    by the golden's name of a table: the declarations' names of it (file and kind), and
                   where its object stands: the file, then the keys that lead to it
  known            by table: each key and how the reference knows it (mutations.py)
  outcomes         what came out, in the order of the inputs: `vectors` with a few elements of each
                   vector, or of the logits behind a prompt; `ids`, what greedily follows a prompt;
                   or in place of them `sampling`, where tokens are drawn
  changes          by table and key: [value, outcome], an index into `outcomes`; -1: not loadable
  pairs            [[table, key, value], [table, key, value], outcome]

Outcome 0 is that of the folder as it is. "Not loadable" is an exception, or weights that are missing
or of another shape, which the reference replaces by random ones.
"""

import copy
import json
import logging
import os
import pathlib
import random
import sys
import tempfile
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "models")]

import numpy as np
import PIL.Image
import safetensors.torch
import sentence_transformers
import timm
import torch
import transformers
from make_goldens import fill
from transformers.image_utils import load_image

import mutations

CONFIG = "config.json"
MEDIA = HERE.parent / "media"
SERVED = HERE.parent / "models" / "served"
TEXTS = ["cat", "A cat sleeps on the roof.", "How many boats is it from the harbour? Don't forget it.",
         "Two dogs run along the beach, and a child throws them a red ball. " * 3]
PICTURES = ["preprocess_61x40.png", "preprocess_33x47.png"]
PROMPTS = ["cat", "A cat sleeps on the roof of the old house by the river.",
           "Two dogs run along the beach, and a child throws them a red ball, again and again."]
# Elements kept of a vector, or of logits; digits of each.
KEPT, DIGITS = 6, 6
# Outcomes that differ by less are the same: how attention is computed changes as much.
CLOSE = 2e-5
NEW_TOKENS = 6


class NotLoadable(Exception):
    pass


class LoadingInfo:
    """What from_pretrained says about the weights, whoever calls it."""

    def __init__(self):
        self.missing, self.mismatched = set(), set()

        def from_pretrained(cls, *arguments, **keywords):
            wanted = keywords.pop("output_loading_info", False)
            model, info = FROM_PRETRAINED(cls, *arguments, output_loading_info=True, **keywords)
            self.missing |= set(map(str, info["missing_keys"]))
            self.mismatched |= set(map(str, info["mismatched_keys"]))
            return (model, info) if wanted else model

        transformers.PreTrainedModel.from_pretrained = classmethod(from_pretrained)

    def clear(self):
        self.missing, self.mismatched = set(), set()


FROM_PRETRAINED = transformers.PreTrainedModel.from_pretrained.__func__
INFO = LoadingInfo()


def sampled(vector):
    """Evenly chosen elements."""
    values = np.asarray(vector, dtype=np.float64).flatten()
    chosen = values[np.linspace(0, len(values) - 1, min(KEPT, len(values))).astype(int)]
    if not np.isfinite(chosen).all():
        raise NotLoadable("not finite")
    return [float(f"{value:.{DIGITS}g}") for value in chosen]


# --- What the reference does with a folder: each returns {"vectors": …} and perhaps {"ids": …}.


def sentence_transformer(folder):
    model = sentence_transformers.SentenceTransformer(
        folder, device="cpu", local_files_only=True, model_kwargs={"dtype": torch.float32})
    vectors = list(model.encode(TEXTS, batch_size=len(TEXTS)))
    for name in sorted(name for name, prompt in model.prompts.items() if prompt):
        vectors += list(model.encode(TEXTS[:2], prompt_name=name))
    return {"vectors": [sampled(vector) for vector in vectors]}


def texts_of(model_class, embed, pads=False):
    def run(folder):
        model = model_class.from_pretrained(folder, dtype=torch.float32).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        fields = tokenizer(TEXTS, truncation=True, return_tensors="pt",
                           padding="max_length" if pads else True)
        return {"vectors": [sampled(vector) for vector in embed(model, fields)]}
    return run


def pictures_of(model_class, embed):
    def run(folder):
        model = model_class.from_pretrained(folder, dtype=torch.float32).eval()
        processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
        vectors = []
        for picture in PICTURES:
            pixels = processor(load_image(str(MEDIA / picture)), return_tensors="pt").pixel_values
            vectors.append(sampled(embed(model, pixels)[0]))
        return {"vectors": vectors}
    return run


def both(run_texts, run_pictures):
    def run(folder):
        return {"vectors": run_texts(folder)["vectors"] + run_pictures(folder)["vectors"]}
    return run


def class_token(model, pixels):
    return model(pixel_values=pixels, return_dict=True).last_hidden_state[:, 0]


def continued(folder):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    settings = model.generation_config
    vectors, ids = [], []
    for prompt in PROMPTS:
        fields = tokenizer(prompt, return_tensors="pt")
        vectors.append(sampled(model(**fields, return_dict=True).logits[0, -1]))
        if not settings.do_sample:
            made = model.generate(**fields, max_new_tokens=NEW_TOKENS)
            made = getattr(made, "sequences", made)[0]
            ids.append(made[fields.input_ids.shape[1]:].tolist())
    if settings.do_sample:
        return {"vectors": vectors, "sampling": True}
    return {"vectors": vectors, "ids": ids}


def efficientnet(folder):
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    prepare = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    vectors = []
    for picture in PICTURES:
        pixels = prepare(PIL.Image.open(MEDIA / picture).convert("RGB"))[None]
        vectors.append(sampled(model.forward_head(model.forward_features(pixels), pre_logits=True)[0]))
    return {"vectors": vectors}




# --- The folder and its changes.


def write_folder(folder, contents, tensors):
    """`contents` are JSON files by name; `tensors` lists of names and shapes by file."""
    for name, content in contents.items():
        path = pathlib.Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    for name, listed in tensors.items():
        safetensors.torch.save_file({tensor: fill(tensor, shape) for tensor, shape in listed},
                                    pathlib.Path(folder, name), metadata={"format": "pt"})


def changed(contents, changes):
    """The files that differ from `contents` by the value of each (path, key, value)."""
    files = {}
    for (file, *path), key, value in changes:
        place = files.setdefault(file, copy.deepcopy(contents[file]))
        for part in path:
            if isinstance(place, dict) and not isinstance(place.get(part), (dict, list)):
                place[part] = {}
            place = place[part]
        place[key] = copy.deepcopy(value)
    return files


def is_close(a, b):
    if {**a, "vectors": None} != {**b, "vectors": None}:
        return False
    a, b = a["vectors"], b["vectors"]
    return [len(v) for v in a] == [len(v) for v in b] and \
        all(np.allclose(v, w, rtol=0, atol=CLOSE) for v, w in zip(a, b))


class Runner:
    """Runs a folder with changes; `run` is one of the functions above."""

    def __init__(self, folder, contents, run):
        self.folder, self.contents, self.run = folder, contents, run
        INFO.clear()
        self.outcomes = [run(folder)]
        self.allowed = (INFO.missing, INFO.mismatched)
        self.touched = {}

    def outcome(self, changes):
        """The index of what comes out with the changes; -1 for nothing."""
        files = changed(self.contents, changes)
        for name, content in {**{name: self.contents[name] for name in self.touched}, **files}.items():
            pathlib.Path(self.folder, name).write_text(json.dumps(content))
        self.touched = files
        INFO.clear()
        try:
            result = self.run(self.folder)
        except (Exception, SystemExit):
            return -1
        if INFO.missing - self.allowed[0] or INFO.mismatched - self.allowed[1]:
            return -1
        for index, known in enumerate(self.outcomes):
            if is_close(known, result):
                return index
        self.outcomes.append(result)
        return len(self.outcomes) - 1


def record(folder, contents, run, changes=()):
    """A recorder of the keys that the reference asks for in this folder, as it is and with each change
    that it can be loaded with; and what comes out of the folder as it is."""
    recorder = mutations.Recorder()
    with recorder.recording():
        runner = Runner(folder, contents, run)
        for change in changes:
            runner.outcome([change])
        runner.outcome([])
    return recorder, runner.outcomes[0]


def run_changes(golden, runner, changes, count):
    """Adds the outcomes of all changes, (table, key, value), and of `count` random pairs of them."""
    def outcome(*some):
        return runner.outcome([(golden["paths"][table], key, value) for table, key, value in some])

    one = [(*change, outcome(change)) for change in changes]
    loadable = [change[:3] for change in one if change[3] >= 0]
    chosen, pairs = random.Random(9), []
    while len(pairs) < count:
        a, b = chosen.choice(loadable), chosen.choice(loadable)
        if a[:2] != b[:2]:
            pairs.append([a, b, outcome(a, b)])
    by_table = {table: {} for table in golden["tables"]}
    for table, key, value, index in one:
        by_table[table].setdefault(key, []).append([value, index])
    golden.update(outcomes=runner.outcomes, changes=by_table, pairs=pairs)
    indices = [index for *_, index in one]
    print(f"{len(one)} changes: {indices.count(-1)} not loadable, {indices.count(0)} without effect; "
          f"{len(pairs)} pairs")


def print_keys(known):
    for table, names in known.items():
        print(f"== {table}", *(f"{name}\t{how}" for name, how in names.items()), sep="\n")


def be_quiet():
    """One thread, and no warnings about what the changes do."""
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    warnings.simplefilter("ignore")
    transformers.utils.logging.disable_progress_bar()
    logging.disable(logging.CRITICAL)


def write(path, golden):
    def line(value):
        return json.dumps(value, separators=(",", ":"))

    parts = []
    for key, value in golden.items():
        if key in ("outcomes", "pairs"):
            parts.append(f'"{key}":[\n' + ",\n".join(map(line, value)) + "\n]")
        elif key == "changes":
            tables = [f"{line(table)}:{{\n" + ",\n".join(f"{line(name)}:{line(values)}" for name, values in
                                                          keys.items()) + "}" for table, keys in value.items()]
            parts.append(f'"{key}":{{\n' + ",\n".join(tables) + "\n}")
        else:
            parts.append(f'"{key}":{line(value)}')
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")
    print(path.name, path.stat().st_size)


