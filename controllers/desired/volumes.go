package desired

import (
	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// Where the echo pods find their files. Each is a whole directory: files that
// are mounted one by one (subPath) are never refreshed.
const (
	limitsDir        = "/etc/echo-operator/limits"
	redisFilesDir    = "/etc/echo-operator/redis"
	sentinelFilesDir = "/etc/echo-operator/redis-sentinel"
	authoritiesDir   = "/etc/echo-operator/redis-ca"
	certificateDir   = "/etc/echo-operator/redis-certificate"

	limitsVolume = "limits"

	// caKey is the key under which Secrets hold the authorities to trust.
	caKey = corev1.ServiceAccountRootCAKey
)

// secretMount is a Secret of which the pods see some keys as files.
type secretMount struct {
	volume   string
	secret   string
	dir      string
	keys     []string
	optional bool
}

// secretMounts are the Secrets that a policy's pods mount. The managed
// instance's may come later: its pods start without it, in fallback.
func secretMounts(p *v1alpha1.RateLimitPolicy) []secretMount {
	if UsesManagedRedis(p) {
		return []secretMount{{
			volume: "redis", secret: RedisName, dir: redisFilesDir, keys: []string{PasswordKey}, optional: true,
		}}
	}
	external := externalRedis(p)
	if external == nil {
		return nil
	}
	var mounts []secretMount
	add := func(ref *v1alpha1.LocalObjectReference, volume, dir string, keys ...string) {
		if ref != nil {
			mounts = append(mounts, secretMount{volume: volume, secret: ref.Name, dir: dir, keys: keys})
		}
	}
	add(external.CredentialsSecretRef, "redis", redisFilesDir, PasswordKey)
	add(external.SentinelCredentialsSecretRef, "redis-sentinel", sentinelFilesDir, PasswordKey)
	if tls := external.TLS; tls != nil {
		add(tls.CASecretRef, "redis-ca", authoritiesDir, caKey)
		add(tls.CertificateSecretRef, "redis-certificate", certificateDir, corev1.TLSCertKey, corev1.TLSPrivateKeyKey)
	}
	return mounts
}

func echoVolumes(p *v1alpha1.RateLimitPolicy) []*corev1ac.VolumeApplyConfiguration {
	volumes := []*corev1ac.VolumeApplyConfiguration{
		corev1ac.Volume().WithName(limitsVolume).
			WithConfigMap(corev1ac.ConfigMapVolumeSource().WithName(LimitsName(p.Name))),
	}
	for _, mount := range secretMounts(p) {
		volumes = append(volumes, secretVolume(mount))
	}
	return volumes
}

func secretVolume(mount secretMount) *corev1ac.VolumeApplyConfiguration {
	source := corev1ac.SecretVolumeSource().WithSecretName(mount.secret).WithDefaultMode(secretFileMode)
	for _, key := range mount.keys {
		source.WithItems(corev1ac.KeyToPath().WithKey(key).WithPath(key))
	}
	if mount.optional {
		source.WithOptional(true)
	}
	return corev1ac.Volume().WithName(mount.volume).WithSecret(source)
}

func echoMounts(p *v1alpha1.RateLimitPolicy) []*corev1ac.VolumeMountApplyConfiguration {
	mounts := []*corev1ac.VolumeMountApplyConfiguration{readOnly(limitsVolume, limitsDir)}
	for _, mount := range secretMounts(p) {
		mounts = append(mounts, readOnly(mount.volume, mount.dir))
	}
	return mounts
}

func readOnly(volume, dir string) *corev1ac.VolumeMountApplyConfiguration {
	return corev1ac.VolumeMount().WithName(volume).WithMountPath(dir).WithReadOnly(true)
}
