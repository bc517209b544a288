# `just` lists what there is; `just ci` is what a merge needs.

target := env("CARGO_TARGET_DIR", justfile_directory() / "target")
shared := env("GLANCE_SHARED", justfile_directory() / "../shared")

_default:
    @just --list --unsorted

# Formatting, lints and the tests: what every commit should pass
check:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    cargo test

# The tests whose name contains FILTER
test filter="":
    cargo test -- {{ filter }}

# The binaries as they are shipped
release:
    cargo build --release

# Kills services so many times on a bad store, a full disk and a directory that others write into
chaos kills="50" *args:
    cargo test --test chaos -- --kills {{ kills }} {{ args }}

# The real glance and openstack clients against the release build
clients: release
    tests/clients/run.sh {{ target }}/release

# Tokens of a real Keystone against the release build
keystone: release
    GLANCE_SHARED={{ shared }} tests/keystone/run.sh {{ target }}/release

# OpenStack's acceptance tests against the release build
tempest: release
    GLANCE_SHARED={{ shared }} tests/tempest/run.sh {{ target }}/release

# The original and the release build in turns on one state
takeover: release
    tests/takeover/run.sh {{ target }}/release

# Recorded conversations (all that should pass, or PATHS) against the release build
recordings *paths: release
    .ci/recordings.sh "{{ shared }}" {{ target }}/release/glance-api {{ paths }}

# Speed beside nginx, as ratios
bench *args:
    cargo bench --bench node -- {{ args }}

# Lists out of a thousand and a hundred thousand images; GLANCE_ORIGINAL_VENV has the original
bench-listing *args:
    cargo bench --bench listing -- {{ args }}

# Lists of a thousand and of a hundred thousand cached images
bench-cached *args:
    cargo bench --bench cached -- {{ args }}

# Orders in which copies leave the cache, over traces
bench-eviction:
    cargo bench --bench eviction

# What knowing and judging a caller costs
bench-identity:
    cargo bench --bench identity

# Looks for inputs that break the parsers, each target for so many seconds (needs cargo-fuzz and a C++ compiler)
fuzz seconds="60" targets="inspect config policy patch query range":
    for target in {{ targets }}; do \
        mkdir -p fuzz/corpus/$target && \
        RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none --target-dir {{ target }}/fuzz $target \
            fuzz/corpus/$target fuzz/seeds/$target -- \
            -max_total_time={{ seconds }} -timeout=10 -rss_limit_mb=1024 -max_len=65536 || exit 1; \
    done

# The verdicts of oslo.policy, asked anew: PYTHON is one that has it (and glance, to renew defaults.json)
triples python:
    {{ python }} tests/policy/triples.py > tests/policy/triples.json

# All of it, as on a clean machine
ci:
    .ci/run
