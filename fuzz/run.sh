#!/usr/bin/env bash
# Fuzzes each target for some seconds:        fuzz/run.sh SECONDS
# one target:                                 fuzz/run.sh SECONDS TARGET
# or runs a target on one file (a crash):     fuzz/run.sh 0 TARGET FILE
#
# It needs a stable toolchain and a C++ compiler, and neither nightly nor cargo-fuzz: the
# flags below are what `cargo fuzz --sanitizer none` passes. `core` has no unsafe code, so a
# sanitizer would find nothing more.
set -euo pipefail
file=${3:+$(realpath "$3")}
cd "$(dirname "$0")"

seconds=${1:?usage: fuzz/run.sh SECONDS [TARGET [FILE]]}
targets=${2:-$(sed -n 's/^path = "fuzz_targets\/\(.*\)\.rs"$/\1/p' Cargo.toml)}
host=$(rustc -vV | sed -n 's/^host: //p')
megabytes=${FUZZ_MEGABYTES:-2048}

export RUST_BACKTRACE=0
export RUSTFLAGS="--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"

for target in $targets; do
    # With --target, build scripts and macros are built without the flags above.
    echo "building $target; the first time takes minutes"
    cargo build --release --quiet --target "$host" --bin "$target"
    binary=target/$host/release/$target
    if [ -n "$file" ]; then
        "$binary" "$file"
        continue
    fi
    mkdir -p "corpus/$target" "artifacts/$target"
    echo "fuzzing $target for $seconds s"
    if ! "$binary" -max_total_time="$seconds" -rss_limit_mb="$megabytes" -timeout=25 \
        -max_len=4096 -print_final_stats=1 -artifact_prefix="artifacts/$target/" \
        "corpus/$target" > "artifacts/$target.log" 2>&1; then
        grep -A 3 'panicked at' "artifacts/$target.log" || tail -n 40 "artifacts/$target.log"
        found=$(ls -t "artifacts/$target"/* 2> /dev/null | head -n 1)
        echo "$target failed; to run it again: TELL=1 fuzz/run.sh 0 $target fuzz/${found:-FILE}"
        exit 1
    fi
    grep -E '^Done|^stat::(number_of_executed_units|peak_rss_mb)' "artifacts/$target.log"
done
