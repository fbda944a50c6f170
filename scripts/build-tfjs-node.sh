#!/usr/bin/env bash
# Builds TensorFlow.js's native backend for training: scripts/build-tfjs-node.sh cpu|gpu [PROJECT] [VENV]
#
#   PROJECT  folder whose node_modules gets the package; the current one where absent
#   VENV     Python environment for TensorFlow's libraries, made if missing;
#            ~/.cache/limelight/tensorflow-cpu (or -gpu) where absent
#
# TENSORFLOW_VERSION chooses a release, such as 2.21.0; pip's newest for this Python where absent.
#
# The published binaries of tfjs-node are TensorFlow 2.9 for CUDA 11.2, which newer GPUs cannot run. The addon itself
# compiles unmodified against the C libraries inside a current Python wheel, and this does that. The package is not
# saved to package.json, so a later `npm install` or `npm ci` takes it away again: then run this again (it is quick).
set -euo pipefail

VERSION=4.22.0
kind=${1:-}
project=${2:-$PWD}

step() { printf '==> %s\n' "$*"; }
fail() {
  printf 'build-tfjs-node: %s\n' "$*" >&2
  exit 1
}
need() { command -v "$1" >/dev/null 2>&1 || fail "$1 is missing; $2"; }

case $kind in
  cpu) package=tfjs-node ;;
  gpu) package=tfjs-node-gpu ;;
  *) fail "say what to build for: build-tfjs-node.sh cpu|gpu [PROJECT] [VENV]" ;;
esac
venv=${3:-${XDG_CACHE_HOME:-$HOME/.cache}/limelight/tensorflow-$kind}

# --- what must be here ---------------------------------------------------------------------------------------------
[ "$(uname -s)" = Linux ] || fail "TensorFlow's libraries are linked on Linux only; elsewhere train with --backend wasm"
[ -d "$project" ] || fail "project folder '$project' does not exist"
project=$(cd "$project" && pwd)
need node "install Node.js 20.19 or newer"
need npm "it comes with Node.js"
need python3 "install Python 3.10 or newer (Debian: apt install python3 python3-venv)"
need "${CXX:-g++}" "install a C++ compiler (Debian: apt install build-essential)"
need make "install it (Debian: apt install build-essential)"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
  fail "python3 is $(python3 -V 2>&1 | cut -d' ' -f2); TensorFlow's wheels need 3.10 or newer"
python3 -c 'import venv, ensurepip' 2>/dev/null || fail "Python's venv is missing (Debian: apt install python3-venv)"

# --- TensorFlow's libraries ----------------------------------------------------------------------------------------
case $kind-$(uname -m) in
  cpu-x86_64) wheel=tensorflow-cpu ;;
  cpu-*) wheel=tensorflow ;;
  gpu-*) wheel='tensorflow[and-cuda]' ;;
esac
wheel="$wheel${TENSORFLOW_VERSION:+==$TENSORFLOW_VERSION}"
if [ ! -x "$venv/bin/python" ]; then
  step "making a Python environment in $venv"
  python3 -m venv "$venv"
fi
# Without importing it, which takes seconds.
tensorflow=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')/tensorflow
installed_version() {
  "$venv/bin/python" -c '
from importlib.metadata import distributions
names = ("tensorflow", "tensorflow-cpu", "tensorflow_cpu")
print(next((d.version for d in distributions() if d.metadata["Name"] in names), ""))'
}
installed=$(installed_version)
if [ -e "$tensorflow/libtensorflow_cc.so.2" ] && [ "${TENSORFLOW_VERSION:-$installed}" = "$installed" ]; then
  step "TensorFlow $installed is in $venv already"
else
  step "installing $wheel into $venv (250 MB to download for cpu, about 3 GB for gpu)"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$wheel" ||
    fail "pip cannot install $wheel; its own message is above"
  installed=$(installed_version)
fi
for library in libtensorflow_cc.so.2 libtensorflow_framework.so.2; do
  [ -e "$tensorflow/$library" ] ||
    fail "$wheel holds no $library; set TENSORFLOW_VERSION=2.21.0, which does, and run this again"
done

# --- the package ---------------------------------------------------------------------------------------------------
at=$project/node_modules/@tensorflow/$package
if [ "$(node -p "require('$at/package.json').version" 2>/dev/null || true)" = $VERSION ]; then
  step "@tensorflow/$package $VERSION is in $project already"
else
  step "installing @tensorflow/$package $VERSION into $project, without its install script"
  npm install --prefix "$project" --no-save --ignore-scripts --no-audit --no-fund --loglevel=error \
    "@tensorflow/$package@$VERSION"
fi

step "linking TensorFlow's libraries and headers"
mkdir -p "$at/deps/lib"
ln -sfn "$tensorflow/include" "$at/deps/include"
ln -sfn "$tensorflow/libtensorflow_cc.so.2" "$at/deps/lib/libtensorflow.so"
ln -sfn "$tensorflow/libtensorflow_cc.so.2" "$at/deps/lib/libtensorflow_cc.so.2"
ln -sfn "$tensorflow/libtensorflow_framework.so.2" "$at/deps/lib/libtensorflow_framework.so"
ln -sfn "$tensorflow/libtensorflow_framework.so.2" "$at/deps/lib/libtensorflow_framework.so.2"

# --- the addon -----------------------------------------------------------------------------------------------------
# The run path names the wheel's own folder first: the libraries find their siblings (and NVIDIA's) relative to it.
run_path="-Wl,-rpath,$tensorflow"
for folder in "$tensorflow"/../nvidia/*/lib; do
  [ -d "$folder" ] && run_path="$run_path,-rpath,$(cd "$folder" && pwd)"
done
node_prefix=$(node -p 'require("node:path").dirname(require("node:path").dirname(fs.realpathSync(process.execPath)))')
mkdir -p "$at/lib/napi-v8"
log=$at/build.log
stamp=$at/lib/napi-v8/built-for
built_for="TensorFlow $installed in $tensorflow"

with_node_gyp() {
  # npm brings a node-gyp of its own; given Node's headers it downloads nothing.
  local gyp
  gyp=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")/node_modules/node-gyp/bin/node-gyp.js
  if [ -e "$gyp" ]; then gyp=(node "$gyp"); else gyp=(npx --yes node-gyp); fi
  cd "$at" || return
  LDFLAGS="$run_path ${LDFLAGS:-}" "${gyp[@]}" rebuild --python="$venv/bin/python" --nodedir="$node_prefix" \
    --napi_build_version=8 --module_name=tfjs_binding --module_path="$at/lib/napi-v8"
}

# The addon uses Node-API alone, whose headers npm has.
with_compiler() {
  local headers=$venv/node-api-headers
  npm install --prefix "$headers" --no-save --no-audit --no-fund --loglevel=error node-api-headers@1 || return
  cd "$at" || return
  # shellcheck disable=SC2016
  "${CXX:-g++}" -shared -fPIC -O2 -std=c++17 -DNAPI_VERSION=8 -I.. -Ideps/include \
    -I"$headers/node_modules/node-api-headers/include" binding/tfjs_backend.cc binding/tfjs_binding.cc \
    -Ldeps/lib -ltensorflow -ltensorflow_framework "$run_path" -Wl,-rpath,'$ORIGIN/../../deps/lib' \
    -o lib/napi-v8/tfjs_binding.node
}

if [ -e "$at/lib/napi-v8/tfjs_binding.node" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$built_for" ]; then
  step "the addon is built for $built_for already"
else
  if [ -e "$node_prefix/include/node/common.gypi" ]; then
    step "compiling the addon with node-gyp"
    build=with_node_gyp
  else
    step "compiling the addon with ${CXX:-g++} (there are no Node headers in $node_prefix)"
    build=with_compiler
  fi
  ("$build") >"$log" 2>&1 || {
    tail -n 30 "$log" >&2
    fail "the addon does not compile; all of the output is in $log"
  }
  printf '%s\n' "$built_for" >"$stamp"
fi

# --- does it work? -------------------------------------------------------------------------------------------------
step "multiplying two matrices"
(cd "$project" && TF_CPP_MIN_LOG_LEVEL=2 node -e "
  const util = require('node:util');
  util.isNullOrUndefined = (value) => value == null;
  util.isArray = Array.isArray;
  const tf = require('$at');
  const product = tf.matMul(tf.tensor2d([[1, 2], [3, 4]]), tf.tensor2d([[5, 6], [7, 8]])).dataSync();
  if (product.join() !== '19,22,43,50') throw new Error('wrong product: ' + product.join());
  const { binding, isUsingGpuDevice } = tf.backend();
  console.log('    TensorFlow ' + binding.TF_Version + ' on the ' + (isUsingGpuDevice ? 'GPU' : 'CPU') + ', Node ' + process.version);
  if ('$kind' === 'gpu' && !isUsingGpuDevice) console.log('    No GPU is visible here: it will compute on the CPU until one is.');
") || fail "the addon was built but does not work; the reason is above, and the compiler's output in $log"
step "done: limelight finds it from $project (elsewhere set LIMELIGHT_TFJS_NODE=$project)"
