package main

// Every component's command line and configuration file. All of this is pure: what is written and started is
// decided here, up.go does it.

import (
	"encoding/json"
	"fmt"
)

const (
	pauseImage = "echo-operator/pause:dev"
	dnsUser    = "system:coredns"
)

// etcd keeps nothing that must outlive a power cut, so it does not wait for the disk.
func (r runDir) etcdArgs() []string {
	return []string{r.bin("etcd"), "--data-dir", r.path("etcd"), "--unsafe-no-fsync",
		"--listen-client-urls", "http://127.0.0.1:2379", "--advertise-client-urls", "http://127.0.0.1:2379",
		"--listen-peer-urls", "http://127.0.0.1:2380"}
}

func (r runDir) apiServerArgs() []string {
	return []string{r.bin("kube-apiserver"),
		"--etcd-servers", "http://127.0.0.1:2379",
		"--advertise-address", nodeAddress, "--secure-port", apiServerPort,
		"--service-cluster-ip-range", serviceRange,
		"--tls-cert-file", r.path("pki", "apiserver.crt"), "--tls-private-key-file", r.path("pki", "apiserver.key"),
		"--client-ca-file", r.path("pki", "ca.crt"),
		"--service-account-issuer", "https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file", r.path("pki", "tokens.pub"),
		"--service-account-signing-key-file", r.path("pki", "tokens.key"),
		"--authorization-mode", "Node,RBAC", // or the operator's own permissions would never be tested
		"--enable-admission-plugins", "NodeRestriction", // added to the ones that are on by default
		"--allow-privileged",
		"--kubelet-certificate-authority", r.path("pki", "ca.crt"),
		"--kubelet-client-certificate", r.path("pki", "apiserver-kubelet-client.crt"),
		"--kubelet-client-key", r.path("pki", "apiserver-kubelet-client.key"),
		"--kubelet-preferred-address-types", "InternalIP", // nobody resolves the node's name
	}
}

func (r runDir) controllerManagerArgs() []string {
	return []string{r.bin("kube-controller-manager"), "--kubeconfig", r.path("controller-manager.kubeconfig"),
		"--leader-elect=false", "--use-service-account-credentials",
		"--allocate-node-cidrs", "--cluster-cidr", podRange,
		"--root-ca-file", r.path("pki", "ca.crt"),
		"--service-account-private-key-file", r.path("pki", "tokens.key"),
		"--flex-volume-plugin-dir", r.path("volume-plugins"), // made by default in /usr
		"--cluster-signing-cert-file", r.path("pki", "ca.crt"), "--cluster-signing-key-file", r.path("pki", "ca.key")}
}

func (r runDir) schedulerArgs() []string {
	return []string{r.bin("kube-scheduler"), "--kubeconfig", r.path("scheduler.kubeconfig"), "--leader-elect=false"}
}

func (r runDir) kubeletArgs() []string {
	return []string{r.bin("kubelet"), "--config", r.path("kubelet.json"), "--kubeconfig", r.path("kubelet.kubeconfig"),
		"--root-dir", r.path("kubelet"), "--cert-dir", r.path("pki"),
		"--hostname-override", nodeName, "--node-ip", nodeAddress}
}

// kube-proxy leaves the machine-wide connection table as it is.
func (r runDir) proxyArgs() []string {
	return []string{r.bin("kube-proxy"), "--kubeconfig", r.path("proxy.kubeconfig"), "--hostname-override", nodeName,
		"--proxy-mode", "nftables", "--cluster-cidr", podRange, "--conntrack-max-per-core", "0"}
}

func (r runDir) containerdArgs() []string {
	return []string{r.bin("containerd"), "--config", r.path("containerd.toml")}
}

func (r runDir) dnsArgs() []string {
	return []string{r.bin("coredns"), "-conf", r.path("Corefile")}
}

// kubeletConfig sets what this cluster needs. Left at their defaults on purpose are syncFrequency and
// configMapAndSecretChangeDetectionStrategy: how fast a mounted ConfigMap reaches a pod is what the product is
// measured by.
func (r runDir) kubeletConfig() ([]byte, error) {
	type object = map[string]any
	return json.MarshalIndent(object{
		"apiVersion":               "kubelet.config.k8s.io/v1beta1",
		"kind":                     "KubeletConfiguration",
		"address":                  nodeAddress,
		"containerRuntimeEndpoint": "unix://" + r.containerdSocket(),
		"clusterDNS":               []string{dnsServiceIP},
		"clusterDomain":            "cluster.local",
		"resolvConf":               r.path("resolv.conf"), // the host's servers cannot be reached from here
		"authentication": object{
			"anonymous": object{"enabled": false},
			"webhook":   object{"enabled": true},
			"x509":      object{"clientCAFile": r.path("pki", "ca.crt")},
		},
		"authorization":     object{"mode": "Webhook"},
		"tlsCertFile":       r.path("pki", "kubelet.crt"),
		"tlsPrivateKeyFile": r.path("pki", "kubelet.key"),

		"cgroupDriver":           "cgroupfs",
		"cgroupRoot":             r.cgroup(),
		"enforceNodeAllocatable": []string{},
		"failCgroupV1":           false,
		"failSwapOn":             false,

		// What the kubelet would write elsewhere on the machine.
		"podLogsDir":      r.path("pod-logs"),
		"volumePluginDir": r.path("volume-plugins"),

		// Images are imported once and cannot be pulled again, and a developer's disk is often rather full.
		"imageGCHighThresholdPercent": 100,
		"evictionHard": object{"memory.available": "100Mi", "nodefs.available": "1%", "nodefs.inodesFree": "0%",
			"imagefs.available": "1%"},
		"maxPods": 200,
	}, "", "  ")
}

// containerdConfig keeps all of containerd's files in the run directory, the pods' namespaces among them. Without
// restrict_oom_score_adj runc fails where the machine does not let processes lower that score.
func (r runDir) containerdConfig(cniDir string) []byte {
	return fmt.Appendf(nil, `version = 3
root = %q
state = %q

[grpc]
  address = %q

[plugins.'io.containerd.nri.v1.nri']
  disable = true

[plugins.'io.containerd.internal.v1.opt']
  path = %q

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = %q

[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = [%q]
  conf_dir = %q

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  runtime_path = %q
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
    Root = %q
`, r.path("containerd"), r.path("state"), r.containerdSocket(), r.path("opt"), pauseImage, cniDir, r.path("cni"),
		r.bin("containerd-shim-runc-v2"), r.path("runc"))
}

// cniConfig connects the pods to a bridge on the node. No address is translated: pods, services and node are all
// there is in this network. Nothing enforces NetworkPolicies.
func (r runDir) cniConfig() ([]byte, error) {
	type object = map[string]any
	return json.MarshalIndent(object{
		"cniVersion": "1.0.0",
		"name":       r.name,
		"plugins": []object{{
			"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
			"ipam": object{
				"type": "host-local", "dataDir": r.path("ipam"),
				"ranges": [][]object{{{"subnet": nodePodRange}}},
				"routes": []object{{"dst": "0.0.0.0/0"}},
			},
		}},
	}, "", "  ")
}

// corefile knows the cluster's names. There is no way out of this network, so no other name exists.
func (r runDir) corefile() []byte {
	return fmt.Appendf(nil, `cluster.local:53 in-addr.arpa:53 {
  bind %[1]s
  kubernetes cluster.local in-addr.arpa {
    kubeconfig %[2]s
  }
  errors
}
.:53 {
  bind %[1]s
  template IN ANY . {
    rcode NXDOMAIN
  }
}
`, nodeAddress, r.path("coredns.kubeconfig"))
}
