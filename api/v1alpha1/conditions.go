package v1alpha1

// Condition types. Accepted, RedisReady, Enforced and Ready are always there
// once the operator has looked at a policy; each carries observedGeneration.
// Ready never says True for a generation older than the spec's.
const (
	// ConditionAccepted: the spec makes sense and its children can be written.
	ConditionAccepted = "Accepted"
	// ConditionRedisReady: the pods reach the shared buckets. True with reason
	// NotUsed when the store is Memory.
	ConditionRedisReady = "RedisReady"
	// ConditionEnforced: every counted pod confirmed that it runs the wanted limits.
	ConditionEnforced = "Enforced"
	// ConditionReady sums up the three above.
	ConditionReady = "Ready"
	// ConditionReconciling: the operator is at work on it. Present only while True.
	ConditionReconciling = "Reconciling"
	// ConditionStalled: nothing will move until a user acts. Present only while True.
	ConditionStalled = "Stalled"
)

// Reasons of Accepted. The False ones are Stalled's reasons as well.
const (
	// ReasonValid: the spec is accepted.
	ReasonValid = "Valid"
	// ReasonInvalidSpec: the spec passed the schema but makes no limits file that a pod could read.
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonForeignObject: an object with a child's name exists and is not ours; it is left alone.
	ReasonForeignObject = "ForeignObject"
	// ReasonConfigTooLarge: the rendered limits exceed what a ConfigMap holds.
	ReasonConfigTooLarge = "ConfigTooLarge"
	// ReasonRejected: the API server refused a child for good, by an admission policy or a quota.
	ReasonRejected = "Rejected"
)

// Reasons of RedisReady.
const (
	// ReasonAvailable: every pod that answered reaches Redis.
	ReasonAvailable = "Available"
	// ReasonRedisUnavailable: Redis, or the pods' way to it, is out. Also Ready's reason then.
	ReasonRedisUnavailable = "RedisUnavailable"
	// ReasonNotUsed: the store is Memory.
	ReasonNotUsed = "NotUsed"
)

// Reasons of Enforced. All but the first and FallbackActive are Ready's reasons as well.
const (
	// ReasonLoadedByAllPods: every counted pod confirmed the wanted limits.
	ReasonLoadedByAllPods = "LoadedByAllPods"
	// ReasonPodsLagging: a pod answered and runs other limits.
	ReasonPodsLagging = "PodsLagging"
	// ReasonPodUnreachable: a pod did not answer when asked for its limits.
	ReasonPodUnreachable = "PodUnreachable"
	// ReasonFallbackActive: pods decide without Redis; True when the outage
	// behaviour still limits, False when it lets everything through.
	ReasonFallbackActive = "FallbackActive"
	// ReasonScaledToZero: no pods are wanted. Ready is True with this reason.
	ReasonScaledToZero = "ScaledToZero"
	// ReasonSuspended: the spec is suspended and the pods may run other limits.
	ReasonSuspended = "Suspended"
	// ReasonPodsNotReady: pods are missing or do not start; the message carries
	// what the pods or their Deployment say.
	ReasonPodsNotReady = "PodsNotReady"
)

// Reasons of Ready and Reconciling, and of conditions that are Unknown.
const (
	// ReasonEnforced: the limits are enforced and Redis is reached, or not used.
	ReasonEnforced = "Enforced"
	// ReasonProgressing: the children follow the spec, and are not there yet.
	ReasonProgressing = "Progressing"
	// ReasonRolloutInProgress: pods are being replaced.
	ReasonRolloutInProgress = "RolloutInProgress"
	// ReasonUpgradePending: a newer image waits for its turn among the operator's rollouts.
	ReasonUpgradePending = "UpgradePending"
	// ReasonUnknown: it could not be found out, for the spec is not accepted or nothing answered yet.
	ReasonUnknown = "Unknown"
)
