# Everything a contributor runs. `make help` lists the targets.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
IMG_MANAGER ?= echo-operator/manager:$(VERSION)
IMG_ECHO ?= echo-operator/echo:$(VERSION)
PLATFORMS ?= linux/amd64,linux/arm64

TOOL := go tool -modfile=hack/tools/go.mod
LINT := go tool -modfile=hack/tools/golangci/go.mod golangci-lint
CLUSTER := go run ./hack/cluster
GO_LDFLAGS := -s -w -X main.version=$(VERSION)
E2E_PACKAGE := ./hack/e2e/...
UNIT_PACKAGES = $(shell go list ./... | grep -v '/hack/e2e$$')

##@ Try it

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN {FS = ":.*##"; printf "Usage: make \033[36m<target>\033[0m\n"} /^[a-zA-Z0-9_-]+:.*?##/ { printf "  \033[36m%-18s\033[0m %s\n", $$1, $$2 } /^##@/ { printf "\n\033[1m%s\033[0m\n", substr($$0, 5) }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Bring up a cluster, install the operator, show its job step by step, tear down (KEEP=1 keeps it).
	go run ./hack/demo

##@ Develop

.PHONY: generate
generate: ## Make generated code and manifests anew.
	$(TOOL) controller-gen object:headerFile=hack/boilerplate.go.txt paths=./api/...
	$(TOOL) controller-gen applyconfiguration:headerFile=hack/boilerplate.go.txt paths=./api/...
	$(TOOL) controller-gen crd paths=./api/... output:crd:dir=config/crd/bases
	$(TOOL) controller-gen rbac:roleName=echo-operator-manager paths=./controllers/... output:rbac:dir=config/rbac

.PHONY: verify
verify: ## Fail when generated files, go.mod or the formatting are stale.
	hack/verify.sh

.PHONY: lint
lint: ## Run the linters.
	$(LINT) run ./...

.PHONY: test
test: ## Run unit, limiter and controller tests; installs or builds redis-server, etcd and kube-apiserver when missing.
	$(CLUSTER) packages
	KUBEBUILDER_ASSETS="$$($(CLUSTER) binaries --only envtest)" go test -timeout 15m $(TESTFLAGS) $(UNIT_PACKAGES)

.PHONY: e2e
e2e: ## Run the end-to-end tests on a real cluster (KEEP=1 keeps it).
	go run ./hack/e2e/run $(E2EFLAGS)

.PHONY: bench
bench: bench-reload ## Run all benchmarks; each ends with its goals (CHECK=1 fails when one is missed).

.PHONY: bench-reload
bench-reload: ## Edit a policy on a real cluster and time until every pod enforces it.
	go run ./hack/e2e/run --bench-reload $(if $(CHECK),--check) $(BENCHFLAGS)

##@ Build

.PHONY: build
build: ## Build both programs into bin/.
	CGO_ENABLED=0 go build -trimpath -ldflags '$(GO_LDFLAGS)' -o bin/ ./cmd/manager ./cmd/echo

.PHONY: docker-build
docker-build: ## Build both images with Docker.
	docker build --target manager --build-arg VERSION=$(VERSION) -t $(IMG_MANAGER) .
	docker build --target echo --build-arg VERSION=$(VERSION) -t $(IMG_ECHO) .

.PHONY: docker-buildx
docker-buildx: ## Build and push both images for $(PLATFORMS).
	docker buildx build --platform $(PLATFORMS) --target manager --build-arg VERSION=$(VERSION) -t $(IMG_MANAGER) --push .
	docker buildx build --platform $(PLATFORMS) --target echo --build-arg VERSION=$(VERSION) -t $(IMG_ECHO) --push .

##@ Deploy to the cluster of the current kubeconfig

.PHONY: run
run: install ## Run the manager on this machine against that cluster.
	go run ./cmd/manager --leader-elect=false --pod-access=APIServer --echo-image=$(IMG_ECHO)

.PHONY: install
install: ## Install the CRD.
	kubectl apply --server-side -k config/crd

.PHONY: deploy
deploy: ## Install the CRD and the operator.
	kubectl apply --server-side -k config/default

.PHONY: undeploy
undeploy: ## Remove the operator, the CRD and with it every policy.
	kubectl delete --ignore-not-found -k config/default

.PHONY: clean
clean: ## Remove what builds left here, and the cluster that demo or e2e kept.
	rm -rf bin dist
	$(CLUSTER) down
