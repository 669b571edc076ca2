// Package e2e tests the operator on a real cluster, with real pods, a real
// kubelet and a real Redis. Its tests run inside the cluster's network; `make
// e2e` takes them there.
package e2e
