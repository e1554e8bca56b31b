#!/usr/bin/env bash
# Builds the serving image for CPUs with buildah, without a daemon or a registry, starts a server in it and asks it for a
# class map. Root, on Debian; BASE_IMAGE=… takes an image that is there instead of one made here from Debian's packages.
set -euo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python
base=${BASE_IMAGE:-localhost/segdistill-base}
image=segdistill-serve:cpu
port=${PORT:-8765}
work=$(mktemp -d)
container=""
server=""

finish() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
    if [ -n "$container" ]; then buildah rm "$container" >/dev/null || true; fi
    rm -rf "$work"
}
trap finish EXIT

for tool in buildah curl; do
    command -v "$tool" >/dev/null || { echo "error: $tool is not installed: apt-get install $tool" >&2; exit 2; }
done

make_base() {
    command -v debootstrap >/dev/null || { echo "error: no $base, and no debootstrap to make it: apt-get install debootstrap" >&2; exit 2; }
    echo "base image: Debian bookworm with Python 3.11"
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$work/root" >"$work/log" 2>&1 \
        || { tail -n 5 "$work/log" >&2; exit 1; }
    local made
    made=$(buildah from scratch)
    buildah add --quiet "$made" "$work/root" / >/dev/null
    buildah commit --quiet --format docker "$made" "$base" >/dev/null
    buildah rm "$made" >/dev/null
}

size_mb() { buildah images --json "$1" | "$python" -c 'import json, sys; print(json.load(sys.stdin)[0]["size"])'; }

buildah inspect --type image "$base" >/dev/null 2>&1 || make_base

# What this machine needs to reach its package index is lent to the build, and is no part of the image.
lent=(--volume /etc/ssl/certs:/etc/ssl/certs:ro)
if [ -f /etc/pip.conf ]; then lent+=(--volume /etc/pip.conf:/etc/pip.conf:ro); fi
buildah bud --isolation chroot --format docker --layers "${lent[@]}" --build-arg BASE_IMAGE="$base" \
    --file docker/Dockerfile.serve --tag "$image" . >"$work/build.log" 2>&1 || { tail -n 20 "$work/build.log" >&2; exit 1; }
echo "base image $(size_mb "$base"), serving image $(size_mb "$image")"

bundle=${BUNDLE:-$work/bundle}
[ -n "${BUNDLE:-}" ] || "$python" -c "import sys; from pathlib import Path; from tests.serve.tiny_bundles import make_bundle; make_bundle(Path(sys.argv[1]))" "$bundle"
chmod -R a+rX "$work" "$bundle"
container=$(buildah from "$image")
buildah run --isolation chroot --volume "$(realpath "$bundle"):/bundle:ro" "$container" -- \
    python -m serve /bundle --port "$port" >"$work/server.log" 2>&1 &
server=$!
for _ in $(seq 150); do
    if curl --silent --fail "http://127.0.0.1:$port/readyz" >/dev/null; then break; fi
    kill -0 "$server" || { echo "error: the server in the image has ended:" >&2; cat "$work/server.log" >&2; exit 1; }
    sleep 0.2
done

"$python" - "$work/street.png" <<'PYTHON'
import sys
import numpy as np
from PIL import Image
Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)).save(sys.argv[1])
PYTHON
curl --silent --show-error --fail --form "image=@$work/street.png" --output "$work/mask.png" "http://127.0.0.1:$port/segment"
"$python" - "$work/mask.png" <<'PYTHON'
import sys
import numpy as np
from PIL import Image
mask = Image.open(sys.argv[1])
assert mask.mode == "P" and mask.size == (120, 90), mask
print("answered", mask.size, "pixels of classes", np.unique(np.asarray(mask)).tolist())
PYTHON
buildah run --isolation chroot "$container" -- python -c "import os, importlib.util as find; assert os.getuid() == 10001; assert not any(map(find.find_spec, ('torch', 'pip'))); print('user 10001, no torch, no pip')"
