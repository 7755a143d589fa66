# Recipes for everyday work; the checks themselves are steps of .ci/run.

# Lists the recipes.
default:
    @just --list

# Formats the sources.
fmt:
    cargo fmt --all

# Lints all targets with all features, and the library with each set of features.
clippy:
    .ci/run clippy features

# Builds the documentation; a warning is an error.
docs:
    .ci/run docs

# Runs the tests; `just test --lib session` runs some of them.
test *ARGS:
    cargo test {{ARGS}}

# Tests the workspace members: drivers on asynchronous runtimes.
members:
    .ci/run members

# Takes every provider through its whole life, on simulators.
tour:
    cargo run --example session

# Counts and names what the core depends on.
core:
    .ci/run core

# Checks licences, sources and banned crates; needs cargo-deny.
deny:
    cargo deny --all-features check licenses sources bans

# Runs every check that a change must pass.
ci:
    .ci/run

# Compares instructions and allocations with the committed baseline; needs valgrind.
instructions:
    .ci/run instructions

# Measures nanoseconds beside the floor; `just bench login` only that one.
bench *NAMES:
    cargo bench --bench cycle -- {{NAMES}}
