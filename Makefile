# make check   formatting, lints, all tests but the end-to-end ones: for every commit
# make test    everything, and installs what that needs: also licences, docs, end-to-end tests
# make test-cluster   of these, only the tests on a real Kubernetes with Knative; needs root
# make bench   the measurements in benches/

CARGO_DENY := 0.20.2
TOOLS      := $(or $(CARGO_TARGET_DIR),target)/tools
DENY       := $(TOOLS)/bin/cargo-deny
ADVISORIES := https://github.com/RustSec/advisory-db

# The integration tests of the crates: all but the end-to-end tests, which need the clients.
SUITES     := $(sort $(basename $(notdir $(wildcard */tests/*.rs */*/tests/*.rs))) \
              $(notdir $(patsubst %/main.rs,%,$(wildcard */tests/*/main.rs */*/tests/*/main.rs))))

# One set of features and one profile everywhere, so that one build serves all steps.
CARGO_FLAGS := --workspace --locked

.PHONY: check format lint unit test deny advisories doc clients e2e test-cluster bench

check: format lint unit

format:
	cargo fmt --all --check

lint:
	cargo clippy $(CARGO_FLAGS) --all-targets -- --deny warnings

# `cargo test --examples` tests examples but does not leave their programs, which tests start.
unit:
	cargo build $(CARGO_FLAGS) --examples
	cargo test $(CARGO_FLAGS) --lib --bins --examples $(SUITES:%=--test %)
	cargo test $(CARGO_FLAGS) --doc

# The end-to-end tests come last: what they say is what a reader looks for.
test: deny advisories doc check clients e2e test-cluster

deny: $(DENY)
	$(DENY) --log-level error check --hide-inclusion-graph licenses bans sources

advisories: $(DENY)
	@if GIT_TERMINAL_PROMPT=0 timeout 20 git ls-remote --quiet $(ADVISORIES) HEAD >/dev/null 2>&1; then \
		$(DENY) --log-level error check advisories; \
	else \
		echo "advisories: not checked, because $(ADVISORIES) cannot be reached from here"; \
	fi

doc:
	RUSTDOCFLAGS="--deny warnings" cargo doc $(CARGO_FLAGS) --no-deps

clients:
	tests/clients/install

e2e:
	cargo build $(CARGO_FLAGS) --bins --examples
	cargo test $(CARGO_FLAGS) --test e2e

test-cluster: clients
	CARGO_FLAGS="$(CARGO_FLAGS)" tests/cluster/run

bench:
	cargo build --release $(CARGO_FLAGS) --example fixture
	cargo bench $(CARGO_FLAGS) --bench '*'

# Compiled quickly rather than to run fast: the check itself takes a second.
$(DENY): Makefile
	@if [ "$$($(DENY) --version 2>/dev/null)" != "cargo-deny $(CARGO_DENY)" ]; then \
		CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
		CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_TARGET_DIR=$(TOOLS)/build \
		cargo install cargo-deny --version $(CARGO_DENY) --locked --no-default-features \
			--root $(TOOLS) --no-track --force && rm -rf $(TOOLS)/build; \
	fi
	@touch $(DENY)
