package main

import "encoding/json"

// addons are the objects that make DNS work: what CoreDNS may read, and a Service with a fixed address in front
// of it. CoreDNS runs on the node and not in a pod, so the Service has no selector and its endpoint is written here.
func addons() ([]byte, error) {
	type object = map[string]any
	inSystem := object{"name": "kube-dns", "namespace": "kube-system"}
	read := []string{"list", "watch"}
	items := []object{
		{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": object{"name": dnsUser},
			"rules": []object{
				{"apiGroups": []string{""}, "resources": []string{"services", "pods", "namespaces"}, "verbs": read},
				{"apiGroups": []string{"discovery.k8s.io"}, "resources": []string{"endpointslices"}, "verbs": read},
			}},
		{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": object{"name": dnsUser},
			"roleRef":  object{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": dnsUser},
			"subjects": []object{{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": dnsUser}}},
		{"apiVersion": "v1", "kind": "Service", "metadata": inSystem,
			"spec": object{"clusterIP": dnsServiceIP, "ports": []object{
				{"name": "dns", "port": 53, "protocol": "UDP"},
				{"name": "dns-tcp", "port": 53, "protocol": "TCP"},
			}}},
		{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
			"metadata": object{"name": "kube-dns-node", "namespace": "kube-system",
				"labels": object{"kubernetes.io/service-name": "kube-dns"}},
			"endpoints": []object{{"addresses": []string{nodeAddress}, "conditions": object{"ready": true}}},
			"ports": []object{
				{"name": "dns", "port": 53, "protocol": "UDP"},
				{"name": "dns-tcp", "port": 53, "protocol": "TCP"},
			}},
	}
	return json.MarshalIndent(object{"apiVersion": "v1", "kind": "List", "items": items}, "", "  ")
}
