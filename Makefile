# make        builds, lints and tests
# make test   the tests alone, as CI runs them
# make sim    a long simulation: make sim SEEDS=10000
# make soak   what takes too long for make test
# make bench  the benchmarks that sit beside the code

GO ?= go
SEEDS ?= 10000
FUZZTIME ?= 30s

.PHONY: all build lint test sim soak fuzz bench

all: build lint test

build:
	$(GO) build ./...

lint:
	@test -z "$$(gofmt -l .)" || { echo "gofmt would change:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) -C postgres/cockroach vet ./...
	$(GO) tool staticcheck ./...

# Each package prints its time; .ci/test.sh says which are tested together. The race
# detector is on everywhere; real processes and the simulation run in it too.
test: build
	@sh .ci/test.sh

sim:
	HOLDFAST_SEEDS=$(SEEDS) $(GO) test -timeout 0 -run TestSeeds -v ./internal/sim

soak: sim fuzz
	HOLDFAST_SOAK=1 $(GO) test -timeout 0 -count 1 -v ./cmd/holdfast ./internal/bazaar ./internal/demo ./internal/outage ./session ./profile ./trade ./replica ./sqlite ./postgres

fuzz:
	@for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 50x $$p || exit 1; \
	  done; \
	done

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...
