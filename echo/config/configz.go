package config

import "time"

// Configz is what a pod answers at /configz on its admin port: the limits it
// really runs. The operator's status rests on nothing else.
type Configz struct {
	Pod PodRef `json:"pod"`
	// Hash is over the bytes of the file in force; see [Hash].
	Hash string `json:"hash"`
	// LimitsHash is over what the file says about limits; see [LimitsHash].
	LimitsHash string `json:"limitsHash"`
	// Generation is the policy's generation in the file, 0 for a file written by hand.
	Generation int64     `json:"generation"`
	LoadedAt   time.Time `json:"loadedAt"`
	// LastError is nil unless the newest file could not be taken over.
	LastError *ConfigzError `json:"lastError"`
	Store     ConfigzStore  `json:"store"`
}

// PodRef names the pod that answers; addresses are reused, so the UID decides.
type PodRef struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	UID       string `json:"uid"`
}

// ConfigzError is why the newest limits file was refused.
type ConfigzError struct {
	Hash    string `json:"hash"`
	Message string `json:"message"`
}

// ConfigzStore is where the pod's buckets are.
type ConfigzStore struct {
	// Type is StoreTypeRedis or StoreTypeMemory.
	Type string `json:"type"`
	// State is StoreStateOK or StoreStateFallback.
	State string `json:"state"`
	// CredentialsVersion changes with the password in use and does not reveal it; empty without one.
	CredentialsVersion string `json:"credentialsVersion"`
}

// The values in a [ConfigzStore].
const (
	StoreTypeRedis     = "redis"
	StoreTypeMemory    = "memory"
	StoreStateOK       = "ok"
	StoreStateFallback = "fallback"
)
