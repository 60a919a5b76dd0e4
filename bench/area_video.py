"""A clip through the video service beside FFmpeg's own decoding plus the bare model."""

import contextlib
import os
import re
import subprocess
import sys

import figures
from line_process import LineProcess

THREADS = 2
# Moving shapes under a little noise: ten seconds of 720p, one group of pictures as x264 makes it by
# default, so that nothing can be reached without decoding what is before it.
CLIP = ["-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25:duration=10", "-vf", "noise=alls=6:allf=t",
        "-c:v", "libx264", "-preset", "fast", "-pix_fmt", "yuv420p"]


def _make_clip(path):
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *CLIP, path], check=True)


def _decode_s(clip):
    """Seconds that FFmpeg takes to decode all of the clip, without its start-up and its look at the header."""
    log = subprocess.run(["ffmpeg", "-nostdin", "-benchmark", "-threads", str(THREADS), "-i", clip, "-f", "null", "-"],
                         check=True, capture_output=True, text=True).stderr
    return float(re.search(r"rtime=([0-9.]+)s", log)[1])


def _per_clip(process, command):
    clips, seconds = process.ask(command, "ran")
    return float(seconds) / int(clips)


def run(options, folder):
    """All figures of the area; `folder` is for scratch files."""
    clip = os.path.join(folder, "clip.mp4")
    _make_clip(clip)
    address = f"unix:{folder}/video.sock"
    with contextlib.ExitStack() as stack:
        service = stack.enter_context(subprocess.Popen(
            [os.path.join(options.binaries, "terminus-video"), "--bundle", options.bundle, "--listen", address,
             "--device", "cpu", "--set", f"video.threads={THREADS}"], stderr=sys.stderr))
        stack.callback(service.terminate)
        bench = stack.enter_context(LineProcess(
            [os.path.join(options.binaries, "video_bench"), "--bundle", options.bundle, "--clip", clip,
             "--threads", str(THREADS)], log=sys.stderr))
        bench.expect("ready", 120)
        # Waits until the model is loaded, and warms up.
        _per_clip(bench, f"service 0.1 {address}")
        ours, peer = [], []
        for turn in range(options.rounds):
            contenders = [lambda: ours.append(_per_clip(bench, f"service {options.burst_s} {address}")),
                          lambda: peer.append(_decode_s(clip) + _per_clip(bench, f"model {options.burst_s}"))]
            for contender in contenders if turn % 2 == 0 else reversed(contenders):
                contender()
    return [figures.against("cpu.video_clip_s.720p_10s", "s", "ffmpeg decoding + the bare model", ours, peer,
                            lower_is_better=True)]
