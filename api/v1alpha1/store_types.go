package v1alpha1

import "k8s.io/apimachinery/pkg/api/resource"

// CIDR is a range of addresses such as 10.0.0.0/8 or 2001:db8::/32.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=43
// +kubebuilder:validation:XValidation:rule="isCIDR(self)",message="must be a range of addresses in CIDR notation; write for instance 10.0.0.0/8, or 192.0.2.7/32 for a single address"
// +kubebuilder:validation:XValidation:rule="!isCIDR(self) || cidr(self).prefixLength() > 0",message="must not cover every address, or each client could choose its own; list the ranges of your proxies"
// +kubebuilder:validation:XValidation:rule="!isCIDR(self) || cidr(self) == cidr(self).masked()",message="must have no bits set beyond its prefix length; write for instance 10.0.0.0/8 instead of 10.1.2.3/8"
type CIDR string

// ClientIP says how a client's address is found.
type ClientIP struct {
	// trustedProxies are the peers whose X-Forwarded-For is believed. None is
	// trusted unless listed.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	TrustedProxies []CIDR `json:"trustedProxies,omitempty"`

	// ipv6PrefixLength is how many leading bits of an IPv6 address tell clients apart.
	// +optional
	// +kubebuilder:default=64
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=128
	IPv6PrefixLength int32 `json:"ipv6PrefixLength,omitempty"`
}

// StoreType is where the buckets are.
//
// +kubebuilder:validation:Enum=Redis;Memory
type StoreType string

const (
	// StoreRedis shares the buckets among the pods.
	StoreRedis StoreType = "Redis"
	// StoreMemory gives each pod buckets of its own.
	StoreMemory StoreType = "Memory"
)

// OutageBehaviour is what decides while Redis does not answer.
//
// +kubebuilder:validation:Enum=Share;Full;Allow;Deny
type OutageBehaviour string

const (
	// OutageShare enforces limit/replicas in each pod.
	OutageShare OutageBehaviour = "Share"
	// OutageFull enforces the whole limit in each pod.
	OutageFull OutageBehaviour = "Full"
	// OutageAllow lets everything through.
	OutageAllow OutageBehaviour = "Allow"
	// OutageDeny refuses everything that a rule matches.
	OutageDeny OutageBehaviour = "Deny"
)

// Store says where the buckets are and what decides when they are out of reach.
type Store struct {
	// type is Redis (shared by the pods) or Memory (per pod).
	// +optional
	// +kubebuilder:default=Redis
	Type StoreType `json:"type,omitempty"`

	// onOutage is what decides while Redis does not answer: Share (each pod
	// enforces limit/replicas), Full (each pod enforces the limit), Allow or Deny.
	// +optional
	// +kubebuilder:default=Share
	OnOutage OutageBehaviour `json:"onOutage,omitempty"`

	// timeoutMilliseconds is how long a decision waits for Redis at most.
	// +optional
	// +kubebuilder:default=25
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	TimeoutMilliseconds int32 `json:"timeoutMilliseconds,omitempty"`
}

// RedisType says who runs the Redis.
//
// +kubebuilder:validation:Enum=Managed;External
type RedisType string

const (
	// RedisManaged is the namespace's shared instance, run by the operator.
	RedisManaged RedisType = "Managed"
	// RedisExternal is somebody else's; the operator never dials it.
	RedisExternal RedisType = "External"
)

// Redis is where the pods share their buckets. The type may change: the pods
// roll and buckets start full.
//
// +kubebuilder:validation:XValidation:rule="(self.type == 'External') == has(self.external)",message="external must be set exactly when type is External; add external: {addresses: [redis.example.com:6379]}, or set type to External"
// +kubebuilder:validation:XValidation:rule="self.type == 'Managed' || !has(self.managed)",message="managed must be absent with type External; remove redis.managed, or set type to Managed"
type Redis struct {
	// type is Managed (the namespace's shared instance, run by the operator) or External.
	// +optional
	// +kubebuilder:default=Managed
	Type RedisType `json:"type,omitempty"`

	// managed is what this policy asks of the namespace's shared instance.
	// +optional
	Managed *ManagedRedis `json:"managed,omitempty"`

	// external says how to reach a Redis that somebody else runs.
	// +optional
	External *ExternalRedis `json:"external,omitempty"`
}

// ManagedRedis is what a policy asks of the namespace's shared instance.
//
// +kubebuilder:validation:XValidation:rule="!has(self.maxMemory) || (quantity(string(self.maxMemory)).compareTo(quantity('8Mi')) >= 0 && quantity(string(self.maxMemory)).compareTo(quantity('64Gi')) <= 0)",message="maxMemory must be between 8Mi and 64Gi; write for instance maxMemory: 64Mi"
type ManagedRedis struct {
	// maxMemory is the memory for buckets, about 200 bytes for each client and
	// rule. The largest asked for in the namespace holds. 64Mi when absent.
	// +optional
	// +kubebuilder:default="64Mi"
	MaxMemory *resource.Quantity `json:"maxMemory,omitempty"`
}

// RedisMode is how an external Redis is laid out.
//
// +kubebuilder:validation:Enum=Standalone;Sentinel;Cluster
type RedisMode string

const (
	// RedisStandalone is one server.
	RedisStandalone RedisMode = "Standalone"
	// RedisSentinel is a primary that sentinels name.
	RedisSentinel RedisMode = "Sentinel"
	// RedisCluster is a Redis Cluster.
	RedisCluster RedisMode = "Cluster"
)

// RedisAddress is a host and port; an IPv6 address stands in brackets.
//
// +kubebuilder:validation:MinLength=3
// +kubebuilder:validation:MaxLength=300
// +kubebuilder:validation:Pattern=`^(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z]([-_.0-9A-Za-z]*[0-9A-Za-z])?):[1-9][0-9]{0,4}$`
type RedisAddress string

// ExternalRedis says how to reach a Redis that somebody else runs.
//
// +kubebuilder:validation:XValidation:rule="(self.mode == 'Sentinel') == has(self.masterName)",message="masterName must be set exactly when mode is Sentinel; add the name that the sentinels monitor, such as masterName: mymaster, or remove it"
// +kubebuilder:validation:XValidation:rule="self.mode != 'Standalone' || size(self.addresses) == 1",message="addresses must hold exactly one address with mode Standalone; keep one, or set mode to Sentinel or Cluster"
// +kubebuilder:validation:XValidation:rule="self.mode == 'Sentinel' || !has(self.sentinelCredentialsSecretRef)",message="sentinelCredentialsSecretRef must be absent unless mode is Sentinel; remove it, or set mode to Sentinel"
type ExternalRedis struct {
	// mode is Standalone, Sentinel (addresses are sentinels) or Cluster.
	// +optional
	// +kubebuilder:default=Standalone
	Mode RedisMode `json:"mode,omitempty"`

	// addresses are host:port, of the server, the sentinels or some cluster nodes.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Addresses []RedisAddress `json:"addresses"`

	// masterName is the name that the sentinels monitor.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	MasterName string `json:"masterName,omitempty"`

	// tls makes the pods speak TLS; plain text when absent.
	// +optional
	TLS *RedisTLS `json:"tls,omitempty"`

	// credentialsSecretRef names a Secret in the policy's namespace with the key
	// password and, optionally, username. Pods read the password again when it
	// changes; a changed username needs a restart.
	// +optional
	CredentialsSecretRef *LocalObjectReference `json:"credentialsSecretRef,omitempty"`

	// sentinelCredentialsSecretRef names a Secret in the policy's namespace whose
	// key password is the sentinels' own; with mode Sentinel only.
	// +optional
	SentinelCredentialsSecretRef *LocalObjectReference `json:"sentinelCredentialsSecretRef,omitempty"`
}

// RedisTLS is how the pods speak TLS to an external Redis. The server's
// certificate is always verified.
type RedisTLS struct {
	// caSecretRef names a Secret in the policy's namespace whose key ca.crt holds
	// the authorities to trust; the image's own when absent.
	// +optional
	CASecretRef *LocalObjectReference `json:"caSecretRef,omitempty"`

	// certificateSecretRef names a kubernetes.io/tls Secret in the policy's
	// namespace with the client certificate; none is shown when absent.
	// +optional
	CertificateSecretRef *LocalObjectReference `json:"certificateSecretRef,omitempty"`
}

// LocalObjectReference names an object in the policy's namespace.
type LocalObjectReference struct {
	// name is the object's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}
