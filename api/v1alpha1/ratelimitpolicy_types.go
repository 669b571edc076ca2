package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RateLimitPolicy runs rate-limited echo pods: the limits, the pods that
// enforce them and the Redis that they share.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.echo.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:resource:path=ratelimitpolicies,singular=ratelimitpolicy,shortName=echorl,categories=ratelimit
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Loaded",type=integer,JSONPath=`.status.loadedReplicas`,description="Pods that confirmed the limits they run"
// +kubebuilder:printcolumn:name="Replicas",type=integer,JSONPath=`.status.replicas`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Redis",type=string,JSONPath=`.status.conditions[?(@.type=="RedisReady")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 52 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="metadata.name must be a DNS label of at most 52 characters that starts with a letter, for it becomes part of the children's names; choose a name such as checkout or api-v1"
type RateLimitPolicy struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec is the limits and the pods asked for.
	// +required
	Spec RateLimitPolicySpec `json:"spec"`

	// status is what the operator found; it is written by the operator alone.
	// +optional
	Status RateLimitPolicyStatus `json:"status,omitzero"`
}

// RateLimitPolicyList is a list of RateLimitPolicies.
//
// +kubebuilder:object:root=true
type RateLimitPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// items are the policies.
	Items []RateLimitPolicy `json:"items"`
}

// Mode says whether refusals reach the clients.
//
// +kubebuilder:validation:Enum=Enforce;Shadow
type Mode string

const (
	// ModeEnforce refuses what is over the limit.
	ModeEnforce Mode = "Enforce"
	// ModeShadow decides, counts and reports, and lets everything through.
	ModeShadow Mode = "Shadow"
)

// HeaderSet is a family of quota headers in answers.
//
// +kubebuilder:validation:Enum=IETF;XRateLimit
type HeaderSet string

const (
	// HeadersIETF is RateLimit and RateLimit-Policy.
	HeadersIETF HeaderSet = "IETF"
	// HeadersXRateLimit is X-RateLimit-Limit, -Remaining and -Reset.
	HeadersXRateLimit HeaderSet = "XRateLimit"
)

// RateLimitPolicySpec is the limits and the pods asked for.
//
// +kubebuilder:validation:XValidation:rule="self.store.type == 'Redis' || !has(self.redis)",message="redis must be absent with store.type Memory, which keeps the buckets in each pod; remove spec.redis, or set store.type to Redis"
type RateLimitPolicySpec struct {
	// mode is Enforce, or Shadow: decide, count and report, but let everything through.
	// +optional
	// +kubebuilder:default=Enforce
	Mode Mode `json:"mode,omitempty"`

	// suspend makes the operator leave the children as they are.
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	// rules are the limits. A request must pass every rule that matches it, all or nothing.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Rules []Rule `json:"rules"`

	// clientIP says how a client's address is found.
	// +optional
	// +kubebuilder:default={}
	ClientIP ClientIP `json:"clientIP,omitzero"`

	// store says where the buckets are and what decides when they are out of reach.
	// +optional
	// +kubebuilder:default={}
	Store Store `json:"store,omitzero"`

	// headers are the quota headers in answers: any of IETF and XRateLimit, or
	// an empty list for none; both when absent.
	// +optional
	// +listType=set
	// +kubebuilder:default={IETF,XRateLimit}
	// +kubebuilder:validation:MaxItems=2
	Headers []HeaderSet `json:"headers,omitzero"`

	// echo is the pods that answer and enforce.
	// +optional
	// +kubebuilder:default={}
	Echo Echo `json:"echo,omitzero"`

	// redis is where the pods share their buckets; a managed instance when
	// absent. It must be absent with store.type Memory.
	// +optional
	Redis *Redis `json:"redis,omitempty"`
}

// RateLimitPolicyStatus is what the operator found.
type RateLimitPolicyStatus struct {
	// observedGeneration is the metadata.generation that this status speaks of.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// configHash is the hash of the limits wanted, as the pods report it: it
	// covers neither the generation nor the number of replicas.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ConfigHash string `json:"configHash,omitempty"`

	// replicas is how many echo pods there are, those that are ending and still serve included.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Replicas int32 `json:"replicas"`

	// readyReplicas is how many echo pods are ready.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ReadyReplicas int32 `json:"readyReplicas"`

	// loadedReplicas is how many echo pods confirmed that they run configHash.
	// +optional
	// +kubebuilder:validation:Minimum=0
	LoadedReplicas int32 `json:"loadedReplicas"`

	// lastLoadedTime is when the last pod confirmed configHash.
	// +optional
	LastLoadedTime *metav1.Time `json:"lastLoadedTime,omitempty"`

	// selector selects the echo pods; autoscalers read it through /scale.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Selector string `json:"selector,omitempty"`

	// laggards are pods that do not run configHash yet, at most 10 of them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	Laggards []Laggard `json:"laggards,omitempty"`

	// conditions are Accepted, RedisReady, Enforced and Ready; Reconciling and
	// Stalled are there only while they are True.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Laggard is a pod that does not run the wanted limits.
type Laggard struct {
	// pod is the pod's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Pod string `json:"pod"`

	// hash is the limits that the pod last said it runs; absent when it never answered.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Hash string `json:"hash,omitempty"`

	// reason says in one line what keeps the pod from the wanted limits.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
}
