package desired

import (
	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
)

const (
	// podUser is a numeric user that every image can run as, since none of our
	// containers needs an account or writes to its image.
	podUser int64 = 65532
	// secretFileMode lets the pod's group, and nobody else, read mounted Secrets.
	secretFileMode int32 = 0o440
)

// podSecurity and containerSecurity satisfy the restricted Pod Security Standard.
func podSecurity() *corev1ac.PodSecurityContextApplyConfiguration {
	return corev1ac.PodSecurityContext().
		WithRunAsNonRoot(true).
		WithRunAsUser(podUser).
		WithRunAsGroup(podUser).
		WithFSGroup(podUser).
		WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))
}

func containerSecurity() *corev1ac.SecurityContextApplyConfiguration {
	return corev1ac.SecurityContext().
		WithAllowPrivilegeEscalation(false).
		WithReadOnlyRootFilesystem(true).
		WithCapabilities(corev1ac.Capabilities().WithDrop("ALL"))
}
