package v1alpha1

// KeySource is where a part of a bucket's key comes from.
//
// +kubebuilder:validation:Enum=ClientIP;Header;Metadata;Path;Method
type KeySource string

const (
	// KeyClientIP is the client's address, cut to its prefix.
	KeyClientIP KeySource = "ClientIP"
	// KeyHeader is a request header; a gRPC call's metadata of that name counts as well.
	KeyHeader KeySource = "Header"
	// KeyMetadata is a gRPC metadata key; an HTTP header of that name counts as well.
	KeyMetadata KeySource = "Metadata"
	// KeyPath is the canonical path.
	KeyPath KeySource = "Path"
	// KeyMethod is the HTTP method.
	KeyMethod KeySource = "Method"
)

// MissingKey says what happens to a request that lacks one of a rule's keys.
//
// +kubebuilder:validation:Enum=Shared;ClientIP;Deny
type MissingKey string

const (
	// MissingKeyShared puts all such requests into one bucket.
	MissingKeyShared MissingKey = "Shared"
	// MissingKeyClientIP takes the client's address instead.
	MissingKeyClientIP MissingKey = "ClientIP"
	// MissingKeyDeny answers 400 (INVALID_ARGUMENT), naming the key.
	MissingKeyDeny MissingKey = "Deny"
)

// OverrideAction is what an override does to the clients it names.
//
// +kubebuilder:validation:Enum=Limit;Exempt;Deny
type OverrideAction string

const (
	// OverrideLimit gives the client a limit of its own; its bucket stays the same.
	OverrideLimit OverrideAction = "Limit"
	// OverrideExempt skips the rule, and only that rule.
	OverrideExempt OverrideAction = "Exempt"
	// OverrideDeny answers 403 (PERMISSION_DENIED).
	OverrideDeny OverrideAction = "Deny"
)

// Protocol is what a request came by.
//
// +kubebuilder:validation:Enum=HTTP;GRPC
type Protocol string

const (
	// ProtocolHTTP is HTTP/1.1 and HTTP/2.
	ProtocolHTTP Protocol = "HTTP"
	// ProtocolGRPC is a gRPC call.
	ProtocolGRPC Protocol = "GRPC"
)

// PathMatchType is how a path is compared.
//
// +kubebuilder:validation:Enum=Exact;Prefix
type PathMatchType string

const (
	// PathExact compares the whole path.
	PathExact PathMatchType = "Exact"
	// PathPrefix compares whole path elements: /v1 matches /v1/x, not /v1x.
	PathPrefix PathMatchType = "Prefix"
)

// HTTPMethod is an HTTP method.
//
// +kubebuilder:validation:Enum=GET;HEAD;POST;PUT;PATCH;DELETE;CONNECT;OPTIONS;TRACE
type HTTPMethod string

// OverrideValue is a value of a rule's first key.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=128
// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]+$`
type OverrideValue string

// Rule is one limit and the requests it counts.
//
// +kubebuilder:validation:XValidation:rule="!has(self.cost) || self.cost <= (has(self.limit.burst) ? self.limit.burst : self.limit.requests)",message="cost must not exceed the limit's burst (or requests, without a burst), or no request could ever pass; lower cost or raise limit.burst"
// +kubebuilder:validation:XValidation:rule="!has(self.cost) || !has(self.overrides) || self.overrides.all(o, !has(o.limit) || self.cost <= (has(o.limit.burst) ? o.limit.burst : o.limit.requests))",message="cost must not exceed the burst (or requests, without a burst) of any override's limit; lower cost or raise overrides[].limit.burst"
// +kubebuilder:validation:XValidation:rule="!has(self.overrides) || size(self.overrides) == 0 || (has(self.keys) && size(self.keys) > 0)",message="overrides compare their values with the first of keys, and keys is empty; add a key such as {source: ClientIP}, or remove overrides"
type Rule struct {
	// name identifies the rule in answers, metrics and buckets: a renamed rule
	// starts with full buckets. It is a DNS label.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// mode overrides the policy's mode for this rule.
	// +optional
	Mode Mode `json:"mode,omitempty"`

	// match selects the requests that the rule counts: those that fit one of the
	// entries. Empty means every request.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Match []Match `json:"match,omitempty"`

	// keys are the parts of the bucket's key, joined without ambiguity. Empty
	// means one bucket for all.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4
	Keys []Key `json:"keys,omitempty"`

	// onMissingKey says what happens to a request that lacks a key: Shared (one
	// bucket for all of them; the default), ClientIP (its address instead) or
	// Deny (400).
	// +optional
	OnMissingKey MissingKey `json:"onMissingKey,omitempty"`

	// limit is the token bucket of each key.
	// +required
	Limit Limit `json:"limit"`

	// cost is how many tokens a request takes; 1 when absent. It is at most the
	// burst of the rule and of each override's limit.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000000
	Cost *int64 `json:"cost,omitempty"`

	// overrides change the rule for the clients they name; the first that matches wins.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Overrides []Override `json:"overrides,omitempty"`
}

// Match selects requests; every part that is set must fit.
//
// +kubebuilder:validation:XValidation:rule="!has(self.methods) || size(self.methods) == 0 || !has(self.protocol) || self.protocol != 'GRPC'",message="methods must be absent with protocol GRPC, whose calls are all POST; select calls by path, such as {type: Prefix, value: /echo.v1.EchoService}"
type Match struct {
	// protocol is HTTP or GRPC; both when absent.
	// +optional
	Protocol Protocol `json:"protocol,omitempty"`

	// path is compared with the canonical path; every path when absent.
	// +optional
	Path *PathMatch `json:"path,omitempty"`

	// methods are the HTTP methods; all when empty. HEAD is a method of its own.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=9
	Methods []HTTPMethod `json:"methods,omitempty"`
}

// PathMatch compares the canonical path: percent-decoded once, dot segments
// removed, repeated slashes merged, query dropped.
//
// +kubebuilder:validation:XValidation:rule="!self.value.contains('?') && !self.value.contains('//') && !self.value.contains('/./') && !self.value.contains('/../') && !self.value.endsWith('/.') && !self.value.endsWith('/..')",message="value must be a canonical path, for it is compared with one: no query, no repeated slashes, no dot segments; write /a/b instead of /a//b, /a/./b or /a/b?c"
type PathMatch struct {
	// type is Exact, or Prefix (the default): by whole path elements.
	// +optional
	Type PathMatchType `json:"type,omitempty"`

	// value is the path, starting with a slash.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^/[^\x00-\x1f\x7f]*$`
	Value string `json:"value"`
}

// Key is one part of a bucket's key.
//
// +kubebuilder:validation:XValidation:rule="has(self.name) == (self.source == 'Header' || self.source == 'Metadata')",message="name must be set exactly when source is Header or Metadata; write for instance {source: Header, name: x-api-key} or {source: ClientIP}"
type Key struct {
	// source is where the part comes from.
	// +required
	Source KeySource `json:"source"`

	// name is the header or metadata key, compared without regard to case.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern="^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
	Name string `json:"name,omitempty"`
}

// Limit is a token bucket: requests tokens flow in every period, and at most
// burst are kept.
//
// +kubebuilder:validation:XValidation:rule="(has(self.burst) ? self.burst : self.requests) * self.periodSeconds <= 4500000000000",message="burst (or requests, without a burst) times periodSeconds must not exceed 4500000000000; lower burst or use a shorter period with fewer requests"
type Limit struct {
	// requests is how many tokens flow in during each period.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000000
	Requests int64 `json:"requests"`

	// periodSeconds is the length of the period.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=31536000
	PeriodSeconds int32 `json:"periodSeconds"`

	// burst is how many tokens are kept at most; requests when absent.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000000
	Burst *int64 `json:"burst,omitempty"`
}

// Override changes a rule for the clients that it names by the rule's first key.
//
// +kubebuilder:validation:XValidation:rule="has(self.limit) == (!has(self.action) || self.action == 'Limit')",message="limit must be set exactly when action is Limit (the default); add limit: {requests: 1000, periodSeconds: 60}, or remove limit from an Exempt or Deny override"
type Override struct {
	// name identifies the override within its rule. It is a DNS label.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// values are the values of the rule's first key that the override is for.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Values []OverrideValue `json:"values"`

	// action is Limit (the default): a limit of their own; Exempt: this rule does
	// not count them; or Deny: they get 403.
	// +optional
	Action OverrideAction `json:"action,omitempty"`

	// limit is the limit of their own, with action Limit.
	// +optional
	Limit *Limit `json:"limit,omitempty"`
}
