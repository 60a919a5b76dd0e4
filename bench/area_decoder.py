"""The decoder engine on one GPU beside vLLM: the same folder of weights and the same work, interleaved in one run.

Both are timed in process, from the submission of token ids to the last token: without tokenizer and without gRPC. The
last part runs our engine behind router and decoder service.
"""

import collections.abc
import contextlib
import dataclasses
import functools
import os
import random
import statistics
import subprocess
import sys
import time

import figures
import idle_share
import llama_8b
import nvml
import rounds
from decoder_cluster import DecoderCluster
from line_process import LineProcess

sys.path.insert(0, os.path.join(figures.ROOT, "bench", "peers"))
import environment  # noqa: E402

PEERS = os.path.join(figures.ROOT, "bench", "peers")
BATCHES = (1, 8, 32, 64, 128, 256)
# A step's time is a long run less a short one: contexts of 448 to 576 tokens, 512 on average.
PROMPT, SHORT, LONG = 431, 17, 145
PREFILL = 4096
FIRST_TOKEN = 512
RUNNING = 64
# Measurements of one prompt in a round, of which the median counts.
PREFILLS, FIRST_TOKENS = 5, 10
SERVED = (128, 512)
SERVE_PROMPT, SERVE_TOKENS = 256, 128
# Both compute in bfloat16 and random weights make near ties: a few of the first tokens may differ.
AGREE_PROMPTS, AGREE_LENGTH, AGREE_LEAST = 16, 32, 12
KV_GIB = 30
# In the mangled name of the kernel that a step of ours begins with.
FIRST_KERNEL = "5EmbedE"
# Work whose steps' idle time is measured, and how many of its steps count: the last ones, which only decode, or almost
# all.
IDLE_WORK = {"b1": ((1, PROMPT, LONG), 128), "b64": ((64, PROMPT, LONG), 128),
             "serve_512": ((512, SERVE_PROMPT, SERVE_TOKENS), 140)}
# Of no work, between two of them: longer than a step takes.
PAUSE_S = 0.5
READY_S, ANSWER_S = 400, 120


def device():
    return nvml.Gpu().name()


def vllm_python(options):
    """The interpreter that has vLLM. Ends the run, before anything takes long, if it has none."""
    python = options.vllm_python or os.environ.get("TERMINUS_VLLM_PYTHON") or environment.python()
    find = "import importlib.util, sys; sys.exit(importlib.util.find_spec('vllm') is None)"
    try:
        found = subprocess.run([python, "-c", find], timeout=60).returncode == 0
    except OSError as error:
        raise SystemExit(f"--vllm-python {python}: {error.strerror}") from error
    if not found:
        raise SystemExit(f"{python} has no vllm: install vllm there, or name another Python by --vllm-python or "
                         "TERMINUS_VLLM_PYTHON; --only gpu.8b.sampling,gpu.8b.grpc,gpu.8b.idle needs none")
    return python


class Contenders:
    """Our engine and vLLM over the same folder, each a process that is started when first asked."""

    def __init__(self, options, stack, folder):
        self.folder = folder
        self._options, self._stack = options, stack
        self._ours = self._peer = None
        self.peer_name = None
        # Why there is no peer to compare with.
        self._refusal = None

    def ours(self):
        if self._ours is None:
            self._ours = self._start(self._our_command())[0]
        return self._ours

    def ours_with_timeline(self, path):
        """Another process of ours, which writes down at its end when the GPU ran which kernel. No other is left: the
        GPU's memory has no room for three."""
        self.stop_peer()
        self.stop_ours()
        library = os.path.realpath(os.path.join(self._options.binaries, "..", "lib", "libkernel_timeline.so"))
        if not os.path.exists(library):
            raise RuntimeError(f"{library} is missing: it is built where CUPTI is")
        return self._start(self._our_command(), {"CUDA_INJECTION64_PATH": library, "KERNEL_TIMELINE": path})[0]

    def _our_command(self):
        return [os.path.join(self._options.binaries, "decoder_gpu_bench"), "--tests", "ask", "--folder", self.folder,
                "--kv-gib", str(KV_GIB)]

    def both(self):
        """[ours, vLLM]; they have been found to compute the same model."""
        if self._refusal is not None:
            raise RuntimeError(self._refusal)
        if self._peer is None:
            try:
                self._begin_peer()
            except (OSError, RuntimeError) as error:
                self._refusal = str(error)
                self.stop_peer()
                raise
        return [self.ours(), self._peer]

    def _begin_peer(self):
        # Alone: ours tries out algorithms while it loads, for which it needs the GPU to itself.
        self.stop_ours()
        self._peer, self.peer_name = self._start([
            vllm_python(self._options), os.path.join(PEERS, "vllm_decoder.py"), "--folder", self.folder, "--kv-gib",
            str(KV_GIB)])
        check_agreement(self.ours(), self._peer)

    def stop_ours(self):
        if self._ours is not None:
            self._ours.close()
            self._ours = None

    def stop_peer(self):
        """Frees the GPU's memory that vLLM holds."""
        if self._peer is not None:
            self._peer.close()
            self._peer = None

    def _start(self, command, variables=None):
        """The process, and its name and version."""
        start = time.monotonic()
        process = self._stack.enter_context(LineProcess(command, os.environ | (variables or {}), sys.stderr))
        try:
            name = " ".join(process.expect("ready", READY_S))
        except (OSError, RuntimeError):
            process.close()
            raise
        print(f"  ready: {name}, after {time.monotonic() - start:.0f} s", flush=True)
        return process, name


def check_agreement(ours, theirs):
    """Refuses all figures unless most prompts have the same first token in both."""
    source = random.Random(5)
    equal = 0
    for _ in range(AGREE_PROMPTS):
        line = " ".join(["tokens", "1", *(str(source.randint(10, 127999)) for _ in range(AGREE_LENGTH))])
        equal += ours.ask(line, "made", ANSWER_S) == theirs.ask(line, "made", ANSWER_S)
    print(f"  {equal} of {AGREE_PROMPTS} prompts have the same first token", flush=True)
    if equal < AGREE_LEAST:
        raise RuntimeError(f"{equal} of {AGREE_PROMPTS} prompts have the same first token as the peer's, at least "
                           f"{AGREE_LEAST} wanted: no figure")


def seconds(process, count, length, tokens, rules=""):
    """Of `count` new prompts of `length` tokens, submitted at once, until each has made `tokens`."""
    return float(process.ask(f"time {count} {length} {tokens} {rules}".strip(), "took", ANSWER_S)[0])


def step_ms(process, batch, rules=""):
    """Milliseconds of one decoding step of `batch` sequences."""
    short = seconds(process, batch, PROMPT, SHORT, rules)
    return (seconds(process, batch, PROMPT, LONG, rules) - short) / (LONG - SHORT) * 1e3


def prefill_tflops(process):
    took = statistics.median(seconds(process, 1, PREFILL, 1) for _ in range(PREFILLS))
    return llama_8b.prefill_operations(1, PREFILL) / took / 1e12


def first_token_ms(process):
    return statistics.median(seconds(process, 1, FIRST_TOKEN, 1) for _ in range(FIRST_TOKENS)) * 1e3


def first_token_beside_ms(process):
    fields = process.ask(f"beside {RUNNING} {FIRST_TOKEN} {FIRST_TOKENS}", "took", ANSWER_S)
    return statistics.median(map(float, fields)) * 1e3


def tokens_per_s(process, count):
    return count * SERVE_TOKENS / seconds(process, count, SERVE_PROMPT, SERVE_TOKENS)


@dataclasses.dataclass
class Comparison:
    """A figure of ours beside vLLM's; `measure` takes the process of either."""

    name: str
    unit: str
    measure: collections.abc.Callable
    lower_is_better: bool = False


COMPARISONS = [
    *(Comparison(f"gpu.8b.decode_ms.b{batch}", "ms/step", functools.partial(step_ms, batch=batch), True)
      for batch in BATCHES),
    Comparison("gpu.8b.prefill_tflops", "TFLOP/s", prefill_tflops),
    Comparison(f"gpu.8b.ttft_ms.{FIRST_TOKEN}", "ms", first_token_ms, True),
    *(Comparison(f"gpu.8b.serve_tokens_per_s.{count}", "tokens/s", functools.partial(tokens_per_s, count=count))
      for count in SERVED),
    Comparison(f"gpu.8b.ttft_beside_{RUNNING}_ms.{FIRST_TOKEN}", "ms", first_token_beside_ms, True),
]
IDLE_SHARE = "gpu.8b.idle_share"
SAMPLING = f"gpu.8b.sampling_ratio.b{BATCHES[-1]}"
GRPC_SHARE = f"gpu.8b.grpc_share.{SERVED[-1]}"


def compare(comparison, options, contenders):
    """The figure, after a run of both that does not count."""
    both = contenders.both()
    rounds.interleaved(both, 1, comparison.measure)
    ours, theirs = rounds.interleaved(both, options.rounds, comparison.measure)
    return [figures.against(comparison.name, comparison.unit, contenders.peer_name, ours, theirs,
                            comparison.lower_is_better)]


def sampling(options, contenders):
    """What every sampling rule costs, on all rows of a batch."""
    ours, batch = contenders.ours(), BATCHES[-1]
    ratios = [step_ms(ours, batch, "sampled") / step_ms(ours, batch) for _ in range(1 + options.rounds)]
    return [figures.alone(SAMPLING, "x greedy", ratios[1:])]


def idle(options, contenders):
    """The share of the time in which the GPU ran no kernel between two steps."""
    path = os.path.join(options.scratch, "timeline")
    process = contenders.ours_with_timeline(path)
    for work, _ in IDLE_WORK.values():
        time.sleep(PAUSE_S)
        seconds(process, *work)
    process.close()
    runs = runs_of(idle_share.steps_of(idle_share.read(path), FIRST_KERNEL))
    if len(runs) < len(IDLE_WORK):
        raise RuntimeError(f"{IDLE_SHARE}: {len(runs)} runs in the timeline, expected {len(IDLE_WORK)}")
    made = []
    for (name, (_, count)), steps in zip(IDLE_WORK.items(), runs[-len(IDLE_WORK):]):
        if len(steps) <= count:
            raise RuntimeError(f"{IDLE_SHARE}.{name}: {len(steps)} steps, expected more than {count}")
        whole, between, inside = idle_share.idle_of(steps[-count - 1:])
        made.append(figures.alone(f"{IDLE_SHARE}.{name}", "of the time", [between / whole]))
        print(f"  {IDLE_SHARE}.{name}: {inside / whole:.1%} inside of steps", flush=True)
    return made


def runs_of(steps):
    """Lists of steps, parted where none began for most of a pause."""
    runs = [[]]
    for step in steps:
        if runs[-1] and step[0][0] - runs[-1][-1][0][0] > 0.8 * PAUSE_S * 1e9:
            runs.append([])
        runs[-1].append(step)
    return runs


def through_grpc(options, contenders):
    """Serving through router and decoder service, beside our engine in process."""
    # The GPU's memory has no room for three.
    contenders.stop_peer()
    ours, count = contenders.ours(), SERVED[-1]
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(DecoderCluster(
            options.binaries, contenders.folder, os.path.join(options.scratch, "cluster"),
            [f"decoder.kv_bytes={KV_GIB << 30}", f"decoder.max_requests={2 * count}"]))
        load = stack.enter_context(LineProcess([os.path.join(options.binaries, "generate_bench"), cluster.router],
                                               log=sys.stderr))
        load.expect("ready", READY_S)

        def rate(process):
            return grpc_tokens_per_s(load, count) if process is load else tokens_per_s(process, count)

        rate(load)
        wire, bare = rounds.interleaved([load, ours], options.rounds, rate)
    return [figures.against(GRPC_SHARE, "tokens/s", "the engine in process", wire, bare)]


def grpc_tokens_per_s(load, count):
    """Generated tokens a second of `count` calls that start together."""
    made, prompt, took = load.ask(f"generate {count} {SERVE_PROMPT} {SERVE_TOKENS}", "generated", ANSWER_S)
    if (int(made), int(prompt)) != (count * SERVE_TOKENS, count * SERVE_PROMPT):
        raise RuntimeError(f"{prompt} tokens of prompts and {made} generated ones, expected {count * SERVE_PROMPT} and "
                           f"{count * SERVE_TOKENS}: the bundle's tokenizer or template is another one")
    return int(made) / float(took)


def make_folder(options):
    """The folder of weights, which is also a bundle: --llama-8b's, or a temporary one."""
    folder = options.llama_8b or os.path.join(options.scratch, "llama_8b")
    if not os.path.exists(os.path.join(folder, "bundle.yaml")):
        start = time.monotonic()
        subprocess.run([environment.python(), os.path.join(PEERS, "make_llama_8b.py"), "--out", folder], check=True)
        print(f"  {folder} is made, {time.monotonic() - start:.0f} s", flush=True)
    return folder


def parts(options):
    """Name → function of (options, contenders) that returns figures, for what options.only asks for; those beside vLLM
    first."""
    known = {each.name: functools.partial(compare, each) for each in COMPARISONS}
    known |= {SAMPLING: sampling, GRPC_SHARE: through_grpc, IDLE_SHARE: idle}
    return {name: part for name, part in known.items() if name.startswith(tuple(options.only.split(",")))}


def run(options, folder):
    """All figures of the area whose names begin with options.only; `folder` is for scratch files."""
    environment.prepare()
    options.scratch = folder
    asked = parts(options)
    if any(each.name in asked for each in COMPARISONS):
        vllm_python(options)
    start = time.monotonic()
    made = []
    with contextlib.ExitStack() as stack:
        contenders = Contenders(options, stack, make_folder(options))
        for name, part in asked.items():
            if options.limit_s and time.monotonic() - start > options.limit_s:
                print(f"  {name} is left out: --limit-s {options.limit_s:.0f} is over", flush=True)
                continue
            try:
                new = part(options, contenders)
            except (OSError, RuntimeError) as error:  # A TimeoutError is an OSError.
                # What has been measured stands: GPU time is dear.
                print(f"  {name} is left out: {error}", flush=True)
                continue
            made += new
            print(f"{figures.table(new)}\n  after {time.monotonic() - start:.0f} s", flush=True)
    return made
