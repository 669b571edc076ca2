package desired

// Names of the children. They are contracts: clients address the Service, and
// a change would orphan what older releases made.
const (
	// RedisName names the namespace's shared Redis: its StatefulSet, Service,
	// ConfigMap, Secret and NetworkPolicy.
	RedisName = "ratelimit-redis"
	// LimitsKey is the ConfigMap's key, and so the file's name in the pod.
	LimitsKey = "limits.yaml"
)

// EchoName names a policy's Deployment, Service, PodDisruptionBudget and NetworkPolicy.
func EchoName(policy string) string { return policy + "-echo" }

// LimitsName names a policy's ConfigMap.
func LimitsName(policy string) string { return EchoName(policy) + "-limits" }
