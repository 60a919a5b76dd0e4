"""Encoders on one GPU beside transformers and torchvision: same weights and inputs, interleaved in one run."""

import array
import contextlib
import os
import subprocess
import sys
import time

import figures
import gpu_load
import nvml
import rounds
from area_router import Cluster
from line_process import LineProcess

sys.path.insert(0, os.path.join(figures.ROOT, "bench", "peers"))
import environment  # noqa: E402

# Between our vectors in bfloat16 or FP8 and the peer's in float32.
LEAST_COSINE = 0.999
AGREE_ON = 32
LARGE = 256
CLIENTS = 512
VISION = ("vit_b32", "vit_l14")


def device():
    return nvml.Gpu().name()


class Contenders:
    """Processes that are started when first asked, and agree with the peer in float32 before they are timed."""

    def __init__(self, options, stack, folder):
        self._options, self._stack, self._folder = options, stack, folder
        self._processes = {}
        self._loading = {}
        self._reference = {}

    def ours(self, name, precision="bfloat16"):
        modality = "text" if name == "clip_text" else "image"
        process = self._start(("ours", name, precision), [
            os.path.join(self._options.binaries, "gpu_encoder_bench"), "--modality", modality, "--folder",
            self.path(name), "--inputs", self.path("inputs"), "--precision", precision])
        if ("agreed", name, precision) not in self._processes:
            case = "encode" if modality == "text" else "device"
            cosine = figures.smallest_cosine(self._reference_of(name), *self._vectors(process, case))
            print(f"  {name} {precision}: least cosine {cosine:.6f}", flush=True)
            if cosine < LEAST_COSINE:
                raise RuntimeError(f"{name} {precision}: cosine {cosine:.6f} to the peer in float32, at least "
                                   f"{LEAST_COSINE} wanted: no figure")
            self._processes["agreed", name, precision] = process
        return process

    def peer(self, name, engine="eager", dtype="bfloat16"):
        return self._start((name, engine, dtype), self._peer_command(name, engine, dtype))

    def stop(self):
        """Ends all of them: what comes next wants the GPU's memory."""
        for process in {id(process): process for process in self._processes.values()}.values():
            process.close()
        self._processes.clear()

    def begin_peers(self, keys):
        """Starts several peers side by side, and comes back when all are ready: ours try out algorithms while they
        load, for which they need the GPU alone."""
        for key in keys:
            self._loading[key] = self._stack.enter_context(LineProcess(self._peer_command(*key), log=sys.stderr))
        for key in keys:
            self.peer(*key)

    def _peer_command(self, name, engine, dtype):
        model = {"clip_text": "clip-text", "resnet50": "resnet"}.get(name, "clip-vision")
        return [environment.python(), os.path.join(figures.ROOT, "bench", "peers", "gpu_encoders.py"), "--model", model,
                "--engine", engine, "--dtype", dtype, "--folder", self.path(name), "--inputs", self.path("inputs")]

    def path(self, name):
        return os.path.join(self._folder, name)

    def _start(self, key, command):
        if key not in self._processes:
            process = self._loading.pop(key, None)
            process = process or self._stack.enter_context(LineProcess(command, log=sys.stderr))
            print("  ready:", *key, *process.expect("ready", 300), flush=True)
            self._processes[key] = process
        return self._processes[key]

    def _reference_of(self, name):
        if name not in self._reference:
            self._reference[name], _ = self._vectors(self.peer(name, dtype="float32"), "device")
        return self._reference[name]

    def _vectors(self, process, case):
        path = self.path("vectors.f32")
        rows, columns = map(int, process.ask(f"outputs {case} {AGREE_ON} {path}", "wrote"))
        vectors = array.array("f")
        with open(path, "rb") as file:
            vectors.fromfile(file, rows * columns)
        return vectors, columns


def _peers_of(name):
    """Key of each peer of a model."""
    keys = [(name, "eager", "float32"), (name, "eager", "bfloat16")]
    return [*keys, (name, "compile", "bfloat16")] if name in VISION else keys


def _rates(contenders, batch, options):
    """Of (process, case) pairs: items a second in each round."""
    for process, case in contenders:
        process.ask(f"run {case} {batch} {options.burst_s}", "ran", 300)

    def rate(contender):
        process, case = contender
        items, seconds = process.ask(f"run {case} {batch} {options.burst_s}", "ran")
        return int(items) / float(seconds)

    return rounds.interleaved(contenders, options.rounds, rate)


def _vision(made, wanted, contenders, options):
    for name in VISION:
        large = f"gpu.{name}.images_per_s.b{LARGE}"
        small = f"gpu.{name}.ms.b1"
        fp8 = f"gpu.{name}_fp8.images_per_s.b{LARGE}"
        if wanted(large) or wanted(fp8):
            asked = [(contenders.ours(name), "device"), (contenders.ours(name), "encode"),
                     (contenders.ours(name, "fp8"), "device"), (contenders.peer(name, "compile"), "device"),
                     (contenders.peer(name), "device")]
            ours, encode, quantized, compiled, eager = _rates(asked, LARGE, options)
            made += [figures.against(large, "images/s", "torch.compile", ours, compiled),
                     figures.against(large, "images/s", "transformers eager", ours, eager),
                     figures.against(fp8, "images/s", "torch.compile", quantized, compiled),
                     figures.alone(f"gpu.{name}.encode_images_per_s.b{LARGE}", "images/s", encode)]
        if wanted(small):
            asked = [(contenders.ours(name), "device"), (contenders.ours(name), "encode"),
                     (contenders.ours(name, "fp8"), "device"), (contenders.peer(name), "device")]
            ours, encode, quantized, eager = ([1000 / rate for rate in rates] for rates in _rates(asked, 1, options))
            made += [figures.against(small, "ms", "transformers eager", ours, eager, lower_is_better=True),
                     figures.alone(f"gpu.{name}_fp8.ms.b1", "ms", quantized),
                     figures.alone(f"gpu.{name}.encode_ms.b1", "ms", encode)]


def _text(made, wanted, contenders, options):
    name = f"gpu.clip_text.texts_per_s.b{LARGE}"
    if wanted(name):
        ours, encode, eager = _rates([(contenders.ours("clip_text"), "device"), (contenders.ours("clip_text"), "encode"),
                                      (contenders.peer("clip_text"), "device")], LARGE, options)
        made += [figures.against(name, "texts/s", "transformers eager", ours, eager),
                 figures.alone(f"gpu.clip_text.encode_texts_per_s.b{LARGE}", "texts/s", encode)]


def _per_joule(made, wanted, contenders, options):
    """Images per joule of the whole card, at the batch size of the throughput figures."""
    name = "gpu.resnet50.images_per_joule"
    if not wanted(name):
        return
    gpu = nvml.Gpu()
    asked = {"ours": contenders.ours("resnet50"), "float32": contenders.peer("resnet50", dtype="float32"),
             "bfloat16": contenders.peer("resnet50")}
    measured = {who: [] for who in asked}
    for turn in range(-1, options.rounds):
        for who, process in asked.items():
            # Long enough for the counter, which moves every 20 to 100 ms.
            before = gpu.joules()
            items, seconds = process.ask(f"run device {LARGE} {2 * options.burst_s}", "ran", 300)
            joules = gpu.joules() - before
            if turn >= 0:
                measured[who].append((int(items) / joules, int(items) / float(seconds)))
    energy = {who: [each for each, _ in pairs] for who, pairs in measured.items()}
    rates = {who: [each for _, each in pairs] for who, pairs in measured.items()}
    for dtype in ("float32", "bfloat16"):
        peer = f"torchvision eager, {dtype}"
        made += [figures.against(name, "images/J", peer, energy["ours"], energy[dtype]),
                 figures.against(f"gpu.resnet50.images_per_s.b{LARGE}", "images/s", peer, rates["ours"],
                                 rates[dtype])]


def _load(load, address, options):
    """Items a second of closed-loop clients, and the share of the time in which the GPU had work."""
    gpu = nvml.Gpu()
    gpu.start_watching()
    rate = float(load.ask(f"load {4 * options.burst_s} {CLIENTS} {address}", "load")[0])
    return rate, gpu.stop_watching()


def _through_router(made, wanted, contenders, options):
    """Single-image requests through the router, batched and not, beside the bare model."""
    for name in ("vit_l14", "resnet50"):
        figure = f"gpu.{name}.through_router"
        if not wanted(figure):
            continue
        # Both need the GPU to themselves. It is warmed up first: what a card does that has been idle is no measure.
        contenders.stop()
        contenders.ours(name).ask(f"run device {LARGE} {6 * options.burst_s}", "ran", 300)
        bare = _rates([(contenders.ours(name), "device")], LARGE, options)[0]
        contenders.stop()
        common = ["router.limits.max_items=4096", f"router.batching.vision.max_batch_cost={LARGE * 1024}"]
        with contextlib.ExitStack() as stack:
            load = stack.enter_context(LineProcess([os.path.join(options.binaries, "wire_bench"),
                                                    contenders.path("inputs/jpeg")], log=sys.stderr))
            load.expect("ready", 30)
            options.bundle = contenders.path(name)
            cluster = stack.enter_context(Cluster(options, contenders.path(f"{name}-up"), [
                *common, f"router.batching.vision.max_batch_items={LARGE}"]))
            single = stack.enter_context(Cluster(options, contenders.path(f"{name}-single"), [
                f'router.replicas.vision=["{cluster.vision}"]', *common, "router.batching.vision.max_batch_items=1"],
                ["--replicas", "vision=0"]))
            _load(load, cluster.router, options)
            batched, alone = zip(*((_load(load, cluster.router, options), _load(load, single.router, options))
                                   for _ in range(max(2, options.rounds // 2))))
        rates = [rate for rate, _ in batched]
        peer = "the same router, batches of 1"
        made += [figures.against(figure, "images/s", "the bare model", rates,
                                 [bare[i % len(bare)] for i in range(len(rates))]),
                 figures.against(figure, "images/s", peer, rates, [rate for rate, _ in alone]),
                 figures.against(f"{figure}.busy", "of the time", peer, [busy for _, busy in batched],
                                 [busy for _, busy in alone])]


def run(options, folder):
    """All figures of the area whose names begin with options.only; `folder` is for scratch files."""
    environment.prepare()
    peers = os.path.join(figures.ROOT, "bench", "peers")
    made = []

    def wanted(name):
        return name.startswith(tuple(options.only.split(",")))

    if wanted(gpu_load.NAME):
        try:
            made += gpu_load.run(options, folder, environment.python(), peers)
        except (RuntimeError, subprocess.SubprocessError) as error:
            print(f"  {gpu_load.NAME} is left out: {error}", flush=True)
    if options.only and all(each.startswith(gpu_load.NAME) for each in options.only.split(",")):
        return made
    subprocess.run([environment.python(), os.path.join(peers, "make_gpu_models.py"), "--out", folder], check=True)

    def wanted_any(model):
        return any(f"gpu.{model}".startswith(each) or each.startswith(f"gpu.{model}")
                   for each in options.only.split(","))

    with contextlib.ExitStack() as stack:
        contenders = Contenders(options, stack, folder)
        contenders.begin_peers([key for name in (*VISION, "clip_text", "resnet50") if wanted_any(name)
                                for key in _peers_of(name)])
        started = time.monotonic()
        for part in (_vision, _text, _per_joule, _through_router):
            try:
                part(made, wanted, contenders, options)
            except (RuntimeError, TimeoutError) as error:
                # What has been measured stands: GPU time is dear.
                print(f"  {part.__name__} is cut short: {error}", flush=True)
            print(f"  {part.__name__}: done after {time.monotonic() - started:.0f} s", flush=True)
    return made
