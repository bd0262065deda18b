# `make` lists the targets. Debian, root and the Go toolchain are all it needs;
# what else the tests use is installed by `make deps`.

SHELL := /bin/bash
GO ?= go
FUZZTIME ?= 30s
# Debian packages that the tests use: package:a command it brings.
PACKAGES := bind9-dnsutils:dig knot-dnsutils:kdig ldnsutils:ldns-verify-zone dnsviz:dnsviz unbound:unbound curl:curl openssl:openssl chromium:chromium \
	iproute2:ip nftables:nft iputils-ping:ping knot:knotd nsd:nsd gdnsd:gdnsd fstrm-bin:fstrm_capture python3:python3 nodejs:node npm:npm man-db:man
# Those that measurements are made with, and against, besides.
PEERS := unbound gdnsd knot knot-module-geoip pdns-server pdns-backend-geoip nsd

.PHONY: help build check test soak bench deps fuzz package clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/landfall
	$(GO) build -trimpath -o bin/landfall ./cmd/landfall

check: ## the fast gate: gofmt, vet, go fix, staticcheck, short tests with -race
	@out="$$(gofmt -l $$(git ls-files '*.go'))"; [ -z "$$out" ] || { echo "gofmt: $$out"; exit 1; }
	$(GO) vet ./...
	@out="$$($(GO) fix -diff ./... 2>&1)"; [ -z "$$out" ] || { echo "$$out"; exit 1; }
	$(GO) tool staticcheck ./...
	cd bench && $(GO) vet ./...
	cd packaging && $(GO) vet ./... && $(GO) test -short ./...
	$(GO) test -short -race -shuffle=on ./...

test: deps ## what CI runs: everything but the full sizes
	$(GO) vet ./...
	$(GO) build ./...
	cd bench && $(GO) vet ./... && $(GO) test ./...
	cd packaging && $(GO) vet ./... && $(GO) test ./...
	$(GO) test -shuffle=on -timeout 15m ./...

soak: deps ## the full sizes: long fuzzing, long kills, many rounds
	LANDFALL_SOAK=1 $(GO) test -shuffle=on -timeout 6h ./...
	$(MAKE) fuzz FUZZTIME=10m

fuzz: ## run every fuzz target for FUZZTIME (30s)
	@set -o pipefail; out=$$(mktemp); trap 'rm -f $$out' EXIT; \
	for pkg in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$f"; \
			$(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg | tee $$out || \
			{ grep -q 'context deadline exceeded' $$out && ! grep -q 'Failing input' $$out; } || exit 1; \
		done; done
	@# The go command fails now and then with "context deadline exceeded" just as
	@# the time is over, with no input to blame: that is no finding.

bench: deps ## measure, print a table, assert nothing
	@dpkg -s $(PEERS) >/dev/null 2>&1 || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PEERS); }
	cd bench && $(GO) run . skeleton ops
	cd bench && $(GO) run . dns-lookup && $(GO) run . dns-plan && $(GO) run . dns-scopes && $(GO) run . dns-budget && $(GO) run . dns-kill
	cd bench && $(GO) run . dns-swap && $(GO) run . dns-caching && $(GO) run . dns-simulations
	cd bench && $(GO) run . dns-speed && $(GO) run . dns-latency && $(GO) run . dns-replace
	cd bench && $(GO) run . -rounds 9 mesh-tun && $(GO) run . mesh-idle && $(GO) run . -rounds 10 mesh-mib && $(GO) run . -rounds 40 mesh-restart
	cd bench && $(GO) run . mesh-death && $(GO) run . mesh-routes && $(GO) run . -rounds 4 mesh-day

package: ## build the Debian packages for amd64 and arm64 into bin
	./packaging/build.sh

deps: ## install the Debian packages that the tests use, where they are missing
	@missing=""; for p in $(PACKAGES); do \
		command -v "$${p#*:}" >/dev/null || [ -x "/usr/sbin/$${p#*:}" ] || missing="$$missing $${p%%:*}"; done; \
	if [ -n "$$missing" ]; then \
		echo "installing$$missing"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; fi

clean: ## remove what make made
	rm -rf bin
