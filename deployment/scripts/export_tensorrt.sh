#!/usr/bin/env bash
# A TensorRT engine of an exported buy-timing network:
#
#     deployment/scripts/export_tensorrt.sh MODEL.onnx MODEL.trt [OBSERVATION_SIZE]
#
# The size defaults to what settings.json beside the model tells, else to 32. Batches: TRT_MIN_BATCH=1,
# TRT_OPT_BATCH=64, TRT_MAX_BATCH=1024. An engine runs only on the GPU and the TensorRT release that made it, and
# computes in half precision where that is faster: compare its actions with those of MODEL.onnx before use.
#
# It was tested with a stand-in that records its arguments, not with a real trtexec: there was none to run. The
# flags are those of TensorRT 10 (--memPoolSize took the place of --workspace, and --explicitBatch is gone).
#
# Exit status: 0 made, 1 trtexec failed, 2 wrong arguments, 3 no such model, 4 no trtexec. MODEL.trt is whole or
# not touched.
set -euo pipefail

fail() { # status, message
    echo "export_tensorrt.sh: $2" >&2
    exit "$1"
}

observation_size() { # of the model: what is told beside it, else 32
    local settings size=""
    settings="$(dirname -- "$1")/settings.json"
    if [[ -f "$settings" ]]; then
        size="$(sed -n 's/.*"size": *\([0-9][0-9]*\).*/\1/p' -- "$settings" | head -n 1)"
    fi
    echo "${size:-32}"
}

require_count() { # name, value
    [[ "$2" =~ ^[1-9][0-9]{0,5}$ ]] || fail 2 "$1=$2; allowed: a whole number from 1 to 999999"
}

[[ $# -eq 2 || $# -eq 3 ]] || fail 2 "$# arguments; allowed: MODEL.onnx MODEL.trt [OBSERVATION_SIZE]"
model="$1" engine="$2"
[[ "$model" == *.onnx ]] || fail 2 "MODEL=$model; allowed: a file named *.onnx"
[[ "$model" != *_int8.onnx ]] || fail 2 "MODEL=$model is quantised for ONNX Runtime; allowed: the model.onnx beside it"
[[ "$engine" == *.trt || "$engine" == *.engine ]] || fail 2 "ENGINE=$engine; allowed: a file named *.trt or *.engine"
[[ -f "$model" && -r "$model" && -s "$model" ]] || fail 3 "$model is missing, empty or not readable; mend: export_crypto_model makes it"
folder="$(dirname -- "$engine")"
[[ -d "$folder" && -w "$folder" ]] || fail 2 "ENGINE=$engine; allowed: a place in a folder that exists and can be written"
[[ ! -d "$engine" ]] || fail 2 "ENGINE=$engine is a folder; allowed: a file"

size="${3:-$(observation_size "$model")}"
least="${TRT_MIN_BATCH:-1}" usual="${TRT_OPT_BATCH:-64}" most="${TRT_MAX_BATCH:-1024}"
require_count OBSERVATION_SIZE "$size"
require_count TRT_MIN_BATCH "$least"
require_count TRT_OPT_BATCH "$usual"
require_count TRT_MAX_BATCH "$most"
((least <= usual && usual <= most)) || fail 2 "batches $least, $usual, $most; allowed: TRT_MIN_BATCH <= TRT_OPT_BATCH <= TRT_MAX_BATCH"

command -v trtexec >/dev/null || fail 4 "trtexec is not on the PATH; mend: install NVIDIA TensorRT 10 (its bin folder holds trtexec), on a machine with an NVIDIA GPU"

partial="$(mktemp -- "$folder/.$(basename -- "$engine").XXXXXX.partial")"
end() { # status: as a signal asks, with trtexec, which may take minutes
    local child
    trap '' INT TERM
    child="$(jobs -pr)"
    if [[ -n "$child" ]]; then
        kill -TERM "$child" 2>/dev/null || true
        wait "$child" || true
    fi
    exit "$1"
}
trap 'rm -f -- "$partial"' EXIT
trap 'end 130' INT
trap 'end 143' TERM
trtexec \
    --onnx="$model" \
    --saveEngine="$partial" \
    --memPoolSize=workspace:4096 \
    --fp16 \
    --minShapes="observations:${least}x${size}" \
    --optShapes="observations:${usual}x${size}" \
    --maxShapes="observations:${most}x${size}" \
    >&2 & # a shell hears signals while it waits, not while a program has its place
wait "$!" || fail 1 "trtexec failed with status $?; $engine is as it was"
[[ -s "$partial" ]] || fail 1 "trtexec wrote no engine; $engine is as it was"
chmod 644 -- "$partial"
mv -f -- "$partial" "$engine"
echo "$engine"
