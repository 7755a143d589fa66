# What there is to do here, each a recipe; the steps of `ci` are what a change must pass. `.ci/run` calls them, and gets
# `just` first where it is not there.

set shell := ["bash", "-euo", "pipefail", "-c"]
set positional-arguments

# In this order: what fails soonest comes first.
steps := "tools fmt core clippy features api docs test members tour postgres fuzz instructions package"

just := quote(just_executable()) + " --justfile " + quote(justfile())

# What the core may name itself, how many crates that may come to, and what must not be among them.
core_may_name := 'base64|http|serde|serde_json|serde_urlencoded|zeroize'
core_at_most := '20'
core_never := 'async.*|chrono|curl.*|fastrand|futures.*|getrandom|gettimeofday|hyper.*|instant|jiff.*|libc|mio|native-tls|openssl.*|polling|quanta|rand.*|reqwest|ring|rustix|rustls.*|smol|socket2|time|tokio.*|ureq.*|wasi.*|web-time|windows.*'

# The crates whose types or traits the public interface may show: of the core, and what all features add. `serde_core` is
# where serde's own traits live.
core_may_show := 'http serde_core'
features_may_show := 'reqwest zeroize' # `Reqwest::build` lends a builder; two functions of `ibkr-oauth` take and give `Zeroizing` bytes

# Lists the recipes.
default:
    @{{ just }} --list

# Formats the sources.
format:
    cargo fmt --all

# Runs every check that a change must pass, or only the named ones, and tells how long each took.
ci *STEPS=steps:
    #!/usr/bin/env bash
    set -euo pipefail
    for step in {{ STEPS }}; do
        [[ " {{ steps }} minimal oldest deny advisories nightly " == *" $step "* ]] || { echo "error: there is no step $step; there are: {{ steps }}, and minimal oldest deny advisories nightly" >&2; exit 1; }
    done
    for step in {{ STEPS }}; do
        printf '\n==> %s\n' "$step"
        began=$SECONDS
        {{ just }} "$step"
        printf -- '--- %s: %s s\n' "$step" $((SECONDS - began))
    done
    printf '\n==> all passed: %s (%s s)\n' "{{ STEPS }}" "$SECONDS"

# Gets the parts of the toolchain that are missing.
tools:
    cargo fmt --version 2>/dev/null || rustup component add rustfmt
    cargo clippy --version 2>/dev/null || rustup component add clippy
    rustc --version

# Checks the formatting.
fmt:
    cargo fmt --all --check
    cargo fmt --check --manifest-path benches/peers/Cargo.toml

# Counts and names what the core depends on.
core:
    #!/usr/bin/env bash
    set -euo pipefail
    fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
    tree() { cargo tree --locked --no-default-features --edges "$1" --prefix none "${@:2}" | awk '{ print $1 }' | sort -u | grep -vx sansession; }
    named=$(tree normal --depth 1)
    crates=$(tree normal,build)
    count=$(wc -l <<<"$crates")
    printf '%s crates: %s\n' "$count" "$(tr '\n' ' ' <<<"$crates")"
    if grep -Evx '{{ core_may_name }}' <<<"$named"; then fail "the core must not depend on these by itself"; fi
    # A runtime comes with the features that say so, and with no other.
    if cargo tree --locked --no-default-features --features async,ibkr-oauth,oauth2,sim,testing,totp,tracing,ureq --edges normal,build --prefix none | grep -E '^(async-|hyper|reqwest|smol|tokio)'; then
        fail "these belong to the features tokio and reqwest"
    fi
    # The table of the docs says how many crates each feature comes to.
    counted=0
    while IFS='|' read -r _ feature _ said _; do
        found=$(cargo tree --locked --no-default-features --features "$feature" --edges normal,build --prefix none | awk '{ print $1, $2 }' | sort -u | grep -vc '^sansession ')
        ((found == said)) || fail "src/lib.rs says that $feature comes to $said crates; it is $found"
        counted=$((counted + 1))
    done < <(sed -n 's/^\/\/! | `\([a-z0-9-]*\)` | \([^|]*\) | \([0-9]*\) |$/|\1|\2|\3|/p' src/lib.rs)
    ((counted > 9)) || fail "the table of features in src/lib.rs was not read"
    if grep -Ex '{{ core_never }}' <<<"$crates"; then fail "these bring I/O, a clock or randomness into the core"; fi
    ((count <= {{ core_at_most }})) || fail "the core has $count crates, at most {{ core_at_most }} are allowed"

# Lints all targets of all members with all features.
clippy:
    cargo clippy --locked --workspace --all-targets --all-features -- -D warnings

# Lints the library with each set of features that differs from the others, and runs its own tests with some.
features:
    tools/features

# Holds the crates that the public interface shows against the list.
api:
    #!/usr/bin/env bash
    set -euo pipefail
    shows() {
        export JSON=$PWD/target/doc/$1.json RUSTDOC=$PWD/tools/foreign_types/rustdoc
        cargo rustdoc --locked --lib --target-dir target "--$1" -- -Z unstable-options --output-format json
        cargo run --locked --quiet --package foreign_types --target-dir target -- "$JSON" "${@:2}"
    }
    shows no-default-features {{ core_may_show }}
    shows all-features {{ core_may_show }} {{ features_may_show }}

# Builds the documentation; a warning is an error.
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --all-features
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --no-default-features

# Runs the tests, as the README does; `just test --lib session` runs some of them.
test *ARGS:
    cargo test "$@"

# Tests the workspace members, each on its own: plain `cargo test` leaves them and their dependencies out.
members:
    cargo test --locked --workspace --exclude sansession --exclude fleet_postgres

# Takes every provider through its whole life, on simulators.
tour:
    cargo run --example session

# Tests the workers that share sessions through PostgreSQL, with servers that the tests start and stop themselves.
postgres:
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || {{ just }} install postgresql
    cargo test --locked --package fleet_postgres -- --include-ignored

# Fuzzes each target for 10 seconds, or for as many as FUZZ_SECONDS says.
fuzz:
    #!/usr/bin/env bash
    # Without cargo-fuzz and a sanitizer, which there is nothing for: no unsafe code. So a stable toolchain does,
    # and what the tests have compiled is not compiled again.
    set -euo pipefail
    cargo fmt --check --manifest-path fuzz/Cargo.toml
    RUSTC_WRAPPER=$PWD/fuzz/instrument cargo build --locked --manifest-path fuzz/Cargo.toml --target-dir target
    for target in fuzz/fuzz_targets/*.rs; do
        target=$(basename "$target" .rs)
        # What it finds new goes elsewhere, so that the committed corpus stays as it is.
        found=target/fuzz/$target
        mkdir -p "$found"
        "target/debug/$target" "$found" "fuzz/corpus/$target" -artifact_prefix="$found-" \
            -max_total_time="${FUZZ_SECONDS:-10}" -timeout=60 -rss_limit_mb=2048 -max_len=8192 -verbosity=0 -print_final_stats=1
    done

# Compares instructions and allocations with the committed baseline: a slower call or one allocation more fails.
instructions:
    valgrind --version 2>/dev/null || {{ just }} install valgrind
    cargo bench --locked --bench instructions -- --check

# Puts the command, its completions, its manual page and its unit for systemd below target/dist.
dist:
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --locked --release --features cli --bin sansession
    program=target/release/sansession dist=target/dist
    install -D "$program" "$dist/bin/sansession"
    mkdir -p "$dist"/share/{bash-completion/completions,fish/vendor_completions.d,zsh/site-functions,man/man1}
    "$program" completions bash >"$dist/share/bash-completion/completions/sansession"
    "$program" completions fish >"$dist/share/fish/vendor_completions.d/sansession.fish"
    "$program" completions zsh >"$dist/share/zsh/site-functions/_sansession"
    "$program" man >"$dist/share/man/man1/sansession.1"
    for verb in login status token call logout run proxy serve doctor; do
        "$program" man "$verb" >"$dist/share/man/man1/sansession-$verb.1"
    done
    install -D -m 644 packaging/sansession@.service "$dist/lib/systemd/user/sansession@.service"
    install -D -m 644 packaging/system/sansession@.service "$dist/lib/systemd/system/sansession@.service"
    find "$dist" -type f

# Builds the library with the lowest versions that Cargo.toml names.
minimal:
    tools/minimal

# Packs the crate and compiles the library in the package; nothing is sent anywhere.
package:
    #!/usr/bin/env bash
    set -euo pipefail
    cargo package --allow-dirty
    files=$(cargo package --list --allow-dirty)
    for name in README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE SECURITY.md src/lib.rs examples/session/main.rs src/bin/sansession/main.rs examples/threads.rs examples/custom_provider/provider.rs; do
        grep -qx "$name" <<<"$files" || { echo "error: $name is not in the package" >&2; exit 1; }
    done
    for link in $(grep -oE '\]\([^):#]+\)' README.md | tr -d '()]'); do
        grep -q "^$link" <<<"$files" || { echo "error: README.md links to $link, which is not in the package" >&2; exit 1; }
    done

# Runs what needs the network and minutes: the command before a certified OpenID provider, and programs that others wrote
# through its proxy; needs Python, Node.js and npm.
nightly:
    mkdir -p target/oidc
    cp tests/tool/oidc/{package.json,package-lock.json,server.mjs,browser.mjs} target/oidc/
    npm ci --silent --no-audit --no-fund --prefix target/oidc
    cargo test --locked --test tool oidc -- --include-ignored
    tools/clients/run
    cargo test --locked --test tool attack -- --ignored

# Checks the library with the oldest compiler that Cargo.toml names, which rustup must have.
oldest:
    cargo +{{ oldest_rust }} check --locked --lib --no-default-features
    cargo +{{ oldest_rust }} check --locked --lib --all-features

oldest_rust := `grep '^rust-version' Cargo.toml | cut -d '"' -f 2`

# Checks licences, sources and banned crates; needs cargo-deny.
deny:
    cargo deny --all-features check licenses sources bans
    cargo deny --workspace --all-features check licenses sources

# Looks for known vulnerabilities, whose list comes from the network; needs cargo-deny.
advisories:
    cargo deny --workspace --all-features check advisories

# Measures nanoseconds beside the floor; `just bench login` only that one.
bench *NAMES:
    cargo bench --bench cycle -- "$@"

# Installs a package of the system.
[private]
install PACKAGE:
    #!/usr/bin/env bash
    set -euo pipefail
    sudo=()
    ((EUID == 0)) || sudo=(sudo)
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends {{ PACKAGE }}
