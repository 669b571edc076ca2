package desired

import (
	"path"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// RedisEchoUser is the managed instance's user for the echo pods.
const RedisEchoUser = "echo"

type envVars []*corev1ac.EnvVarApplyConfiguration

func (e *envVars) set(name, value string) {
	*e = append(*e, corev1ac.EnvVar().WithName(name).WithValue(value))
}

func (e *envVars) fromField(name, field string) {
	*e = append(*e, corev1ac.EnvVar().WithName(name).WithValueFrom(corev1ac.EnvVarSource().
		WithFieldRef(corev1ac.ObjectFieldSelector().WithAPIVersion("v1").WithFieldPath(field))))
}

// fromSecret takes a key that may be missing.
func (e *envVars) fromSecret(name, secret, key string) {
	*e = append(*e, corev1ac.EnvVar().WithName(name).WithValueFrom(corev1ac.EnvVarSource().
		WithSecretKeyRef(corev1ac.SecretKeySelector().WithName(secret).WithKey(key).WithOptional(true))))
}

// echoEnv is what cannot change in a pod without a restart.
func echoEnv(p *v1alpha1.RateLimitPolicy, limits corev1.ResourceList) envVars {
	var env envVars
	env.set("ECHO_LIMITS_FILE", path.Join(limitsDir, LimitsKey))
	env.fromField("POD_NAME", "metadata.name")
	env.fromField("POD_NAMESPACE", "metadata.namespace")
	env.fromField("POD_UID", "metadata.uid")
	env.set("GOMEMLIMIT", goMemoryLimit(limits))
	if UsesManagedRedis(p) {
		env.set("ECHO_REDIS_URL", managedURL(p.Namespace))
		env.set("ECHO_REDIS_USERNAME", RedisEchoUser)
		env.set("ECHO_REDIS_PASSWORD_FILE", path.Join(redisFilesDir, PasswordKey))
	}
	if external := externalRedis(p); external != nil {
		env.external(external)
	}
	return env
}

func (e *envVars) external(external *v1alpha1.ExternalRedis) {
	e.set("ECHO_REDIS_URL", externalURL(external))
	if external.Mode == v1alpha1.RedisSentinel {
		e.set("ECHO_REDIS_MODE", string(external.Mode))
		e.set("ECHO_REDIS_ADDRS", joined(external.Addresses))
	}
	if external.MasterName != "" {
		e.set("ECHO_REDIS_MASTER_NAME", external.MasterName)
	}
	if ref := external.CredentialsSecretRef; ref != nil {
		e.fromSecret("ECHO_REDIS_USERNAME", ref.Name, usernameKey)
		e.set("ECHO_REDIS_PASSWORD_FILE", path.Join(redisFilesDir, PasswordKey))
	}
	if external.SentinelCredentialsSecretRef != nil {
		e.set("ECHO_REDIS_SENTINEL_PASSWORD_FILE", path.Join(sentinelFilesDir, PasswordKey))
	}
	e.tls(external.TLS)
}

func (e *envVars) tls(tls *v1alpha1.RedisTLS) {
	if tls == nil {
		return
	}
	if tls.CASecretRef != nil {
		e.set("ECHO_REDIS_CA_FILE", path.Join(authoritiesDir, caKey))
	}
	if tls.CertificateSecretRef != nil {
		e.set("ECHO_REDIS_CERT_FILE", path.Join(certificateDir, corev1.TLSCertKey))
		e.set("ECHO_REDIS_KEY_FILE", path.Join(certificateDir, corev1.TLSPrivateKeyKey))
	}
}
