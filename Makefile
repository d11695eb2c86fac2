# Two commands are enough: make run, make test. Both install what they need and say so.
SHELL := /bin/bash
GO ?= go
DATA ?= data
LISTEN ?= 127.0.0.1:8743
VERSION ?= $(shell git describe --always --dirty 2>/dev/null || echo unknown)
BUILD = CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)"

.PHONY: run build test check bench demo tools screens clean

run: build ## build and start on this machine, with the real facts of this machine
	./bin/kakusho serve --data $(DATA) --listen $(LISTEN)

build: ## bin/kakusho, one static binary
	@echo "building bin/kakusho (the first build fetches the modules named in go.mod) …"
	@mkdir -p bin
	$(BUILD) -o bin/kakusho ./cmd/kakusho

demo: build ## an invented prefectural police body, in a folder of its own
	./bin/kakusho demo --data data-demo
	./bin/kakusho serve --data data-demo --listen 127.0.0.1:8744

tools: ## what the tests need beside Go: a browser, database servers, axe-core
	@.ci/tools

test: tools ## every test
	$(GO) vet ./...
	$(GO) test -count=1 -timeout 20m ./...

check: tools ## the whole judgement: format, vet, lint, tests with the race detector
	@test -z "$$(gofmt -l .)" || { echo "gofmt would change:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	@if command -v golangci-lint >/dev/null; then golangci-lint run ./...; else echo "golangci-lint is not installed: the lint set of .golangci.yml was not run"; fi
	$(GO) test -race -count=1 -timeout 40m ./...

bench: ## one line per goal: GOAL area/name figure op bound met|short   (AREA=judge for one area: bench/peers, a module of its own, fetches OPA)
	$(GO) run ./bench $(AREA)

screens: build tools ## screenshots of every page into screens/
	$(GO) test -count=1 -run TestScreens ./web/browser -args -screens $(CURDIR)/screens

clean:
	rm -rf bin
