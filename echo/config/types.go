package config

// Version is the limits file's format version.
const Version = 1

// File is the limits file: what the operator renders into a ConfigMap and the
// pod reads. Field names and shapes are those of a RateLimitPolicy's spec, so
// that spec.rules can be pasted into a file. A File that [Parse] returned is
// valid and has every default filled in.
type File struct {
	Version int `yaml:"version" json:"version"`
	// Policy is absent when the file is written by hand.
	Policy *PolicyRef `yaml:"policy,omitempty" json:"policy,omitempty"`
	// Replicas is how many pods share the limit in an outage.
	Replicas int32    `yaml:"replicas,omitempty" json:"replicas,omitempty"`
	Mode     string   `yaml:"mode,omitempty" json:"mode,omitempty"`
	Rules    []Rule   `yaml:"rules" json:"rules"`
	ClientIP ClientIP `yaml:"clientIP,omitempty" json:"clientIP,omitzero"`
	Store    Store    `yaml:"store,omitempty" json:"store,omitzero"`
	// Headers nil means both; an empty list means none.
	Headers []string `yaml:"headers" json:"headers"`
}

// PolicyRef names the RateLimitPolicy that a file was rendered from.
type PolicyRef struct {
	Name       string `yaml:"name" json:"name"`
	Namespace  string `yaml:"namespace" json:"namespace"`
	UID        string `yaml:"uid" json:"uid"`
	Generation int64  `yaml:"generation" json:"generation"`
}

// Rule is one limit and the requests it counts.
type Rule struct {
	Name         string     `yaml:"name" json:"name"`
	Mode         string     `yaml:"mode,omitempty" json:"mode,omitempty"`
	Match        []Match    `yaml:"match,omitempty" json:"match,omitempty"`
	Keys         []Key      `yaml:"keys,omitempty" json:"keys,omitempty"`
	OnMissingKey string     `yaml:"onMissingKey,omitempty" json:"onMissingKey,omitempty"`
	Limit        Limit      `yaml:"limit" json:"limit"`
	Cost         int64      `yaml:"cost,omitempty" json:"cost,omitempty"`
	Overrides    []Override `yaml:"overrides,omitempty" json:"overrides,omitempty"`
}

// Match selects requests; every part that is set must fit.
type Match struct {
	Protocol string     `yaml:"protocol,omitempty" json:"protocol,omitempty"`
	Path     *PathMatch `yaml:"path,omitempty" json:"path,omitempty"`
	Methods  []string   `yaml:"methods,omitempty" json:"methods,omitempty"`
}

// PathMatch compares the canonical path.
type PathMatch struct {
	Type  string `yaml:"type,omitempty" json:"type,omitempty"`
	Value string `yaml:"value" json:"value"`
}

// Key is one part of a bucket's key.
type Key struct {
	Source string `yaml:"source" json:"source"`
	Name   string `yaml:"name,omitempty" json:"name,omitempty"`
}

// Limit is a token bucket; Burst 0 means Requests.
type Limit struct {
	Requests      int64 `yaml:"requests" json:"requests"`
	PeriodSeconds int32 `yaml:"periodSeconds" json:"periodSeconds"`
	Burst         int64 `yaml:"burst,omitempty" json:"burst,omitempty"`
}

// Override changes a rule for the first keys it names.
type Override struct {
	Name   string   `yaml:"name" json:"name"`
	Values []string `yaml:"values" json:"values"`
	Action string   `yaml:"action,omitempty" json:"action,omitempty"`
	Limit  *Limit   `yaml:"limit,omitempty" json:"limit,omitempty"`
}

// ClientIP says how a client's address is found.
type ClientIP struct {
	TrustedProxies   []string `yaml:"trustedProxies,omitempty" json:"trustedProxies,omitempty"`
	IPv6PrefixLength int32    `yaml:"ipv6PrefixLength,omitempty" json:"ipv6PrefixLength,omitempty"`
}

// Store says where the buckets are and what decides when they are out of reach.
type Store struct {
	Type                string `yaml:"type,omitempty" json:"type,omitempty"`
	OnOutage            string `yaml:"onOutage,omitempty" json:"onOutage,omitempty"`
	TimeoutMilliseconds int32  `yaml:"timeoutMilliseconds,omitempty" json:"timeoutMilliseconds,omitempty"`
}

// The values that the file's enumerated fields take.
const (
	ModeEnforce = "Enforce"
	ModeShadow  = "Shadow"

	SourceClientIP = "ClientIP"
	SourceHeader   = "Header"
	SourceMetadata = "Metadata"
	SourcePath     = "Path"
	SourceMethod   = "Method"

	MissingShared   = "Shared"
	MissingClientIP = "ClientIP"
	MissingDeny     = "Deny"

	ActionLimit  = "Limit"
	ActionExempt = "Exempt"
	ActionDeny   = "Deny"

	PathExact  = "Exact"
	PathPrefix = "Prefix"

	ProtocolHTTP = "HTTP"
	ProtocolGRPC = "GRPC"

	StoreRedis  = "Redis"
	StoreMemory = "Memory"

	OutageShare = "Share"
	OutageFull  = "Full"
	OutageAllow = "Allow"
	OutageDeny  = "Deny"

	HeadersIETF       = "IETF"
	HeadersXRateLimit = "XRateLimit"
)
