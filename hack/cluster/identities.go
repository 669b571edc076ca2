package main

import (
	"encoding/json"
	"os"
	"time"
)

const nodeName = "node1"

// servers are the certificates that lie in pki/ under their names.
func servers() map[string]identity {
	return map[string]identity{
		"apiserver": {name: "kube-apiserver", hosts: []string{nodeAddress, "127.0.0.1", apiServiceIP, "localhost",
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}},
		"kubelet": {name: nodeName, hosts: []string{nodeAddress, nodeName}},
		// The API server's own access to the kubelet: exec, logs, port-forward and the pods' proxy.
		"apiserver-kubelet-client": {name: "kube-apiserver-kubelet-client", groups: []string{"system:masters"}},
	}
}

// clients are the identities that get a kubeconfig. Everyone but the administrator has only the rights that
// Kubernetes gives that component, as in any other cluster.
func clients() map[string]identity {
	return map[string]identity{
		"admin":              {name: "admin", groups: []string{"system:masters"}},
		"controller-manager": {name: "system:kube-controller-manager"},
		"scheduler":          {name: "system:kube-scheduler"},
		"proxy":              {name: "system:kube-proxy"},
		"kubelet":            {name: "system:node:" + nodeName, groups: []string{"system:nodes"}},
		"coredns":            {name: dnsUser},
	}
}

// writeIdentities makes the certificate authority, all certificates and all kubeconfigs.
func (r runDir) writeIdentities(now time.Time) error {
	if err := os.MkdirAll(r.path("pki"), 0o700); err != nil {
		return err
	}
	ca, err := newAuthority(now)
	if err != nil {
		return err
	}
	if err := ca.writeTo(r.path("pki", "ca")); err != nil {
		return err
	}
	for file, id := range servers() {
		pair, err := ca.issue(id)
		if err != nil {
			return err
		}
		if err := pair.writeTo(r.path("pki", file)); err != nil {
			return err
		}
	}
	for file, id := range clients() {
		if err := r.writeClient(ca, file, id); err != nil {
			return err
		}
	}
	private, public, err := newTokenKey()
	if err != nil {
		return err
	}
	if err := r.write("pki/tokens.key", string(private)); err != nil {
		return err
	}
	return r.write("pki/tokens.pub", string(public))
}

func (r runDir) writeClient(ca *authority, file string, id identity) error {
	pair, err := ca.issue(id)
	if err != nil {
		return err
	}
	text, err := kubeconfig(r.name, ca.cert, pair)
	if err != nil {
		return err
	}
	return r.write(file+".kubeconfig", string(text))
}

// kubeconfig holds its certificates itself, so that the file can be used from anywhere. It is written as JSON,
// which is YAML too.
func kubeconfig(name string, ca []byte, pair keyPair) ([]byte, error) {
	type object = map[string]any
	return json.MarshalIndent(object{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": name,
		"clusters": []object{{"name": name, "cluster": object{
			"server":                     "https://" + nodeAddress + ":" + apiServerPort,
			"certificate-authority-data": ca,
		}}},
		"users": []object{{"name": name, "user": object{
			"client-certificate-data": pair.cert,
			"client-key-data":         pair.key,
		}}},
		"contexts": []object{{"name": name, "context": object{"cluster": name, "user": name}}},
	}, "", "  ")
}
