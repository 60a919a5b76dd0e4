"""Measures one area and writes its figures down. Started by scripts/bench, which builds first."""

import argparse
import datetime
import importlib
import os
import shlex
import sys
import tempfile

import figures
import quiet
import report

# Area → (module, CMake targets it needs).
AREAS = {
    "cpu": ("area_cpu", ["encoder_bench"]),
    "decode": ("area_decode", ["decode_bench"]),
    "router": ("area_router", ["echo_server", "wire_bench", "terminus", "terminus-router", "terminus-text",
                               "terminus-vision", "terminus-video", "terminus-decoder"]),
    "gpu": ("area_gpu", ["gpu_encoder_bench", "load_bench", "wire_bench", "terminus", "terminus-router",
                         "terminus-vision"]),
    "decoder": ("area_decoder", ["decoder_gpu_bench", "generate_bench", "terminus-router",
                                 "terminus-decoder"]),
    "families": ("area_families", ["encoder_bench"]),
    "tokenizers": ("area_tokenizers", ["tokenizer_bench"]),
    "video": ("area_video", ["terminus-video", "video_bench"]),
}


def parse(arguments):
    home = os.environ.get("TERMINUS_HOME") or os.path.expanduser("~/.cache/terminus")
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("area", choices=AREAS)
    parser.add_argument("--bundle", default=os.path.join(home, "bundles", "default"))
    parser.add_argument("--rounds", type=int, default=10, help="interleaved rounds of each comparison (default 10)")
    parser.add_argument("--burst-s", type=float, default=1.0, help="seconds a contender runs each round (default 1)")
    parser.add_argument("--vocabulary", nargs="+", default=[],
                        help="area tokenizers: what packages ship, as bench/peers/make_tokenizers.py takes it")
    parser.add_argument("--family", nargs="+", default=[], help="area families: these alone")
    parser.add_argument("--llama-8b", help="areas gpu and decoder: the folder that bench/peers/make_llama_8b.py makes; "
                        "it makes one here, or else a temporary one (15 GiB), if there is none")
    parser.add_argument("--vllm-python", help="area decoder: the Python that has vLLM; default TERMINUS_VLLM_PYTHON, "
                        "else that of the other peers")
    parser.add_argument("--limit-s", type=float, help="area decoder: begin no further figure after so many seconds")
    parser.add_argument("--dry-run", action="store_true", help="show the figures, write nothing")
    parser.add_argument("--force", action="store_true", help="write figures down although the machine was busy")
    parser.add_argument("--only", default="",
                        help="areas gpu and decoder: figures whose names begin so, separated by commas")
    parser.add_argument("--commit", help="what was built, where this is no checkout of it")
    parser.add_argument("--results", default=os.path.join(figures.ROOT, "bench", "results"), help="where figures go")
    parser.add_argument("--binaries", default=os.path.join(figures.ROOT, "build", "release", "bin"))
    parser.add_argument("--targets", action="store_true", help="print the CMake targets the area needs, and stop")
    return parser.parse_args(arguments)


def _command(arguments):
    """The command as anyone would give it: without what says where things lie on this machine."""
    places = ("--binaries", "--results", "--commit", "--llama-8b", "--vllm-python", "--limit-s")
    kept, skip = [], False
    for argument in arguments:
        if not skip and argument not in places:
            kept.append(argument)
        skip = not skip and argument in places
    return shlex.join(["scripts/bench", *kept])


def main(arguments):
    options = parse(arguments)
    module, targets = AREAS[options.area]
    if options.targets:
        print(*targets)
        return
    area = importlib.import_module(module)
    context = {
        "device": area.device() if hasattr(area, "device") else figures.cpu_device(),
        "commit": options.commit or figures.commit(),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": _command(arguments),
    }
    watch = quiet.Watch()
    with tempfile.TemporaryDirectory(prefix="terminus-bench-") as folder:
        made = area.run(options, folder)
    others = watch.others_share()
    print(f"\n{context['device']}, commit {context['commit']}, {context['date']}\n")
    print(figures.table(made))
    print(f"\n{others:.1%} of the processor time went to others")
    if options.dry_run:
        return
    if others > quiet.MOST_OTHERS and not options.force:
        sys.exit(f"not written down: at most {quiet.MOST_OTHERS:.0%} may; run again when the machine is quiet")
    path = os.path.join(options.results, options.area + ".jsonl")
    figures.append(path, made, context)
    print(f"{len(made)} lines added to {path}")
    if os.path.realpath(options.results) == os.path.join(figures.ROOT, "bench", "results"):
        report.update()
        print("docs/benchmarks.md shows them")


if __name__ == "__main__":
    main(sys.argv[1:])
