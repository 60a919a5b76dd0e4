"""The Python environment the peers run in: TERMINUS_HOME/venv-bench, apart from what Terminus itself needs.

LibTorch is not installed twice: a .pth file puts TERMINUS_HOME/venv's packages on the path. `import torch`
opens CUDA libraries even on a machine with no GPU, so those that nobody has are installed by name, one after
another, as the loader asks for them.
"""

import glob
import hashlib
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
REQUIREMENTS = os.path.join(HERE, "requirements.txt")
CUDA_REQUIREMENTS = os.path.join(HERE, "requirements-cuda.txt")

# Shared library → the wheel that holds it.
CUDA_WHEELS = {
    "libcublas": "nvidia-cublas",
    "libcublasLt": "nvidia-cublas",
    "libcudart": "nvidia-cuda-runtime",
    "libcudnn": "nvidia-cudnn-cu13",
    "libcufft": "nvidia-cufft",
    "libcufile": "nvidia-cufile",
    "libcupti": "nvidia-cuda-cupti",
    "libcurand": "nvidia-curand",
    "libcusolver": "nvidia-cusolver",
    "libcusparse": "nvidia-cusparse",
    "libcusparseLt": "nvidia-cusparselt-cu13",
    "libnccl": "nvidia-nccl-cu13",
    "libnvJitLink": "nvidia-nvjitlink",
    "libnvToolsExt": "nvidia-nvtx",
    "libnvrtc": "nvidia-cuda-nvrtc",
    "libnvshmem_host": "nvidia-nvshmem-cu13",
}


def terminus_home():
    return os.environ.get("TERMINUS_HOME") or os.path.expanduser("~/.cache/terminus")


def python():
    """The peers' interpreter: TERMINUS_BENCH_PYTHON, which then has all they need, or the environment's own."""
    return os.environ.get("TERMINUS_BENCH_PYTHON") or os.path.join(terminus_home(), "venv-bench", "bin", "python3")


def variables(threads):
    """Environment of a peer's process with `threads` compute threads."""
    env = dict(os.environ)
    libs = []
    for venv in ("venv-bench", "venv"):
        libs += sorted(glob.glob(os.path.join(terminus_home(), venv, "lib/python3*/site-packages/nvidia/*/lib")))
    if env.get("LD_LIBRARY_PATH"):
        libs.append(env["LD_LIBRARY_PATH"])
    env["LD_LIBRARY_PATH"] = ":".join(libs)
    env["OMP_NUM_THREADS"] = env["MKL_NUM_THREADS"] = str(threads)
    env["HF_HUB_OFFLINE"] = env["TRANSFORMERS_OFFLINE"] = "1"
    env["TOKENIZERS_PARALLELISM"] = "false"
    return env


def missing_library(stderr):
    """The shared library a failed import asks for, without its version; None if it failed of something else."""
    match = re.search(r"(lib\w+)\.so[.\d]*: cannot open shared object file", stderr)
    return match.group(1) if match else None


def requirement(wheel):
    """The pinned line of `wheel`."""
    with open(CUDA_REQUIREMENTS) as lines:
        for line in lines:
            if line.startswith(wheel + "=="):
                return line
    raise LookupError(f"{CUDA_REQUIREMENTS} does not pin {wheel}")


def _pip(*arguments):
    subprocess.run([python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                    "--no-deps", "--require-hashes", *arguments], check=True)


def _install_cuda_libraries():
    for _ in CUDA_WHEELS:
        tried = subprocess.run([python(), "-c", "import torch"], env=variables(1), capture_output=True, text=True)
        if tried.returncode == 0:
            return
        library = missing_library(tried.stderr)
        if library not in CUDA_WHEELS:
            raise RuntimeError(f"torch does not import in {python()}:\n{tried.stderr}")
        wheel = CUDA_WHEELS[library]
        print(f"  {library} is nowhere on this machine: installing {wheel}", flush=True)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
            wanted.write(requirement(wheel))
            wanted.flush()
            _pip("-r", wanted.name)
    raise RuntimeError("torch still does not import after installing every CUDA wheel")


def prepare():
    """Makes the environment, or does nothing where it already is what the requirement files say."""
    if os.environ.get("TERMINUS_BENCH_PYTHON"):
        return
    home = terminus_home()
    base = os.path.join(home, "venv", "bin", "python3")
    if not os.path.exists(base):
        sys.exit(f"{base} is missing: run scripts/setup first")
    digest = hashlib.sha256()
    for path in (REQUIREMENTS, CUDA_REQUIREMENTS, __file__):
        with open(path, "rb") as file:
            digest.update(file.read())
    stamp = os.path.join(home, "venv-bench", "installed")
    if os.path.exists(stamp):
        with open(stamp) as file:
            if file.read() == digest.hexdigest():
                return
    print(f"preparing the peers' environment in {os.path.dirname(stamp)} (about 100 MB to download)", flush=True)
    subprocess.run([base, "-m", "venv", os.path.join(home, "venv-bench")], check=True)
    _pip("-r", REQUIREMENTS)
    site = "import site; print(site.getsitepackages()[0])"
    ours = subprocess.run([python(), "-c", site], check=True, capture_output=True, text=True).stdout.strip()
    theirs = subprocess.run([base, "-c", site], check=True, capture_output=True, text=True).stdout.strip()
    with open(os.path.join(ours, "terminus-torch.pth"), "w") as pth:
        pth.write(theirs + "\n")
    _install_cuda_libraries()
    with open(stamp, "w") as file:
        file.write(digest.hexdigest())
