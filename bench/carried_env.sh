# To be sourced where python3 has torch, from a folder that `scripts/dist --bench` made: says where LibTorch and CUDA's
# libraries are, and that python3 runs the peers.
# shellcheck shell=bash

_out=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
_torch=$(python3 -c 'import os, torch; print(os.path.join(os.path.dirname(torch.__file__), "lib"))')
_nvidia=$(python3 -c 'import nvidia; print(list(nvidia.__path__)[0])')
ln -sfn "$_torch" "$_out/lib/torch"
for _folder in "$_nvidia"/*/lib "$_torch"; do
  LD_LIBRARY_PATH=$_folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
done
export LD_LIBRARY_PATH TERMINUS_BENCH_PYTHON=${TERMINUS_BENCH_PYTHON:-python3}
unset _out _torch _nvidia _folder
