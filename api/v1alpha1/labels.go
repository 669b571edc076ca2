package v1alpha1

// Labels of the children. The operator's caches hold only objects with
// LabelManagedBy, so removing it hides an object from the operator.
const (
	// LabelManagedBy is set to ManagedBy on everything the operator writes.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// LabelName is set to the component's software, for people and dashboards.
	LabelName = "app.kubernetes.io/name"
	// LabelInstance is set to the child's own name, for people and dashboards.
	LabelInstance = "app.kubernetes.io/instance"
	// LabelPolicy names the policy that a child belongs to. Part of selectors.
	LabelPolicy = GroupName + "/policy"
	// LabelComponent is ComponentEcho or ComponentRedis. Part of selectors.
	LabelComponent = GroupName + "/component"
	// LabelRedisClient is set to RedisClientManaged on pods that use the
	// namespace's managed instance, whose NetworkPolicy selects it.
	LabelRedisClient = GroupName + "/redis-client"
)

// Values of the labels.
const (
	// ManagedBy is the value of LabelManagedBy.
	ManagedBy = "echo-operator"
	// ComponentEcho is a policy's echo pods and what belongs to them.
	ComponentEcho = "echo"
	// ComponentRedis is a namespace's managed Redis.
	ComponentRedis = "redis"
	// RedisClientManaged is the value of LabelRedisClient.
	RedisClientManaged = "managed"
)

// Annotations that the operator writes or reads.
const (
	// AnnotationConfigHash, on the ConfigMap and the pods, is the hash of the
	// limits file that the operator wrote: on a pod, a change makes the kubelet refresh the pod's files at once.
	AnnotationConfigHash = GroupName + "/config-hash"
	// AnnotationLimitsHash, on the ConfigMap, is the hash of what the limits file
	// says about limits, for people to compare with status.configHash.
	AnnotationLimitsHash = GroupName + "/limits-hash"
	// AnnotationPoke, on a pod, changes when the operator pokes again for the same hash.
	AnnotationPoke = GroupName + "/poke"
	// AnnotationCredentialsVersion, on a pod, is the password's version that the
	// pod's files are to hold; it pokes as AnnotationConfigHash does.
	AnnotationCredentialsVersion = GroupName + "/credentials-version"
	// AnnotationRotate, on the managed Redis' Secret, is a token that a user
	// changes to rotate the password.
	AnnotationRotate = GroupName + "/rotate"
	// AnnotationRotated, on the managed Redis' Secret, is the last token whose rotation ended.
	AnnotationRotated = GroupName + "/rotated"
)
