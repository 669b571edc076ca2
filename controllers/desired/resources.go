package desired

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// goMemoryShare is the part of the memory limit that the Go runtime aims to
// stay below, in percent; the rest is for what it does not count.
const goMemoryShare = 90

// resourcesOf is what the policy asks for with the gaps filled: small requests,
// so that pods fit anywhere, and a memory limit, so that namespaces with quotas
// admit them. A default gives way to what the policy says of the same resource.
func resourcesOf(p *v1alpha1.RateLimitPolicy) (requests, limits corev1.ResourceList, err error) {
	requests, limits = corev1.ResourceList{}, corev1.ResourceList{}
	if asked := p.Spec.Echo.Resources; asked != nil {
		requests, limits = resourceList(asked.Requests), resourceList(asked.Limits)
	}
	if _, set := limits[corev1.ResourceMemory]; !set {
		limits[corev1.ResourceMemory] = larger(resource.MustParse("256Mi"), requests[corev1.ResourceMemory])
	}
	fillRequest(requests, limits, corev1.ResourceCPU, resource.MustParse("50m"))
	fillRequest(requests, limits, corev1.ResourceMemory, resource.MustParse("64Mi"))
	return requests, limits, checkResources(requests, limits)
}

// fillRequest sets a default request, at most the limit.
func fillRequest(requests, limits corev1.ResourceList, name corev1.ResourceName, quantity resource.Quantity) {
	if _, set := requests[name]; set {
		return
	}
	if limit, set := limits[name]; set && limit.Cmp(quantity) < 0 {
		quantity = limit
	}
	requests[name] = quantity
}

func checkResources(requests, limits corev1.ResourceList) error {
	for name, request := range requests {
		if limit, set := limits[name]; set && request.Cmp(limit) > 0 {
			return invalidSpec("spec.echo.resources.requests.%s: %s is above limits.%s, %s; lower the request or raise the limit",
				name, request.String(), name, limit.String())
		}
	}
	for name, limit := range limits {
		if limit.Sign() <= 0 {
			return invalidSpec("spec.echo.resources.limits.%s: must be above zero, got %s; write e.g. 256Mi of memory or 500m of cpu",
				name, limit.String())
		}
	}
	return nil
}

// goMemoryLimit is GOMEMLIMIT, in bytes.
func goMemoryLimit(limits corev1.ResourceList) string {
	bytes := limits.Memory().Value()
	return strconv.FormatInt(bytes/100*goMemoryShare, 10)
}

func resourceList(list v1alpha1.ResourceList) corev1.ResourceList {
	converted := make(corev1.ResourceList, len(list))
	for name, quantity := range list {
		converted[corev1.ResourceName(name)] = quantity
	}
	return converted
}

func larger(a, b resource.Quantity) resource.Quantity {
	if a.Cmp(b) < 0 {
		return b
	}
	return a
}

func resourceRequirements(requests, limits corev1.ResourceList) *corev1ac.ResourceRequirementsApplyConfiguration {
	return corev1ac.ResourceRequirements().WithRequests(requests).WithLimits(limits)
}
