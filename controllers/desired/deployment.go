package desired

import (
	"cmp"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

const (
	// EchoContainer is the container's name; status messages look for it.
	EchoContainer = "echo"

	// terminationSeconds covers the drain delay, the longest answer and a margin.
	terminationSeconds int64 = 30
)

// deployment runs the echo pods. Its pod template depends on nothing that the
// limits file holds: limits reach running pods without a restart.
func deployment(p *v1alpha1.RateLimitPolicy, in Inputs) (*appsv1ac.DeploymentApplyConfiguration, error) {
	template, err := podTemplate(p, in.Settings)
	if err != nil {
		return nil, err
	}
	// A pod is added before one is taken away, so that a rollout never costs capacity.
	rolling := appsv1ac.RollingUpdateDeployment().
		WithMaxUnavailable(intstr.FromInt32(0)).
		WithMaxSurge(intstr.FromInt32(1))
	return appsv1ac.Deployment(EchoName(p.Name), p.Namespace).
		WithLabels(echoLabels(p.Name)).
		WithOwnerReferences(ControllerOwner(p)).
		WithSpec(appsv1ac.DeploymentSpec().
			WithReplicas(in.DeploymentReplicas).
			WithSelector(selectorOf(EchoSelector(p.Name))).
			WithStrategy(appsv1ac.DeploymentStrategy().
				WithType(appsv1.RollingUpdateDeploymentStrategyType).
				WithRollingUpdate(rolling)).
			WithTemplate(template)), nil
}

func podTemplate(p *v1alpha1.RateLimitPolicy, s Settings) (*corev1ac.PodTemplateSpecApplyConfiguration, error) {
	container, err := echoContainer(p, s)
	if err != nil {
		return nil, err
	}
	spec := corev1ac.PodSpec().
		WithAutomountServiceAccountToken(false).
		WithEnableServiceLinks(false).
		WithTerminationGracePeriodSeconds(terminationSeconds).
		WithSecurityContext(podSecurity()).
		WithTopologySpreadConstraints(spread(p)).
		WithContainers(container).
		WithVolumes(echoVolumes(p)...)
	template := corev1ac.PodTemplateSpec().WithLabels(podLabels(p)).WithSpec(spec)
	if settings := p.Spec.Echo.Pod; settings != nil {
		addPodSettings(template, settings)
	}
	return template, nil
}

func echoContainer(p *v1alpha1.RateLimitPolicy, s Settings) (*corev1ac.ContainerApplyConfiguration, error) {
	requests, limits, err := resourcesOf(p)
	if err != nil {
		return nil, err
	}
	c := corev1ac.Container().
		WithName(EchoContainer).
		WithImage(cmp.Or(p.Spec.Echo.Image, s.EchoImage)).
		WithPorts(echoPorts()...).
		WithEnv(echoEnv(p, limits)...).
		WithResources(resourceRequirements(requests, limits)).
		WithSecurityContext(containerSecurity()).
		WithVolumeMounts(echoMounts(p)...).
		WithStartupProbe(httpProbe("/healthz").WithPeriodSeconds(1).WithFailureThreshold(30)).
		WithReadinessProbe(httpProbe("/readyz").WithPeriodSeconds(2).WithFailureThreshold(2)).
		WithLivenessProbe(httpProbe("/healthz").WithPeriodSeconds(10).WithFailureThreshold(3))
	if s.ImagePullPolicy != "" {
		c.WithImagePullPolicy(s.ImagePullPolicy)
	}
	return c, nil
}

func echoPorts() []*corev1ac.ContainerPortApplyConfiguration {
	var ports []*corev1ac.ContainerPortApplyConfiguration
	for _, port := range clientPorts() {
		ports = append(ports, containerPort(port.name, port.number))
	}
	return append(ports, containerPort(adminPortName, AdminPort))
}

func containerPort(name string, number int32) *corev1ac.ContainerPortApplyConfiguration {
	return corev1ac.ContainerPort().WithName(name).WithContainerPort(number).WithProtocol(corev1.ProtocolTCP)
}

func httpProbe(path string) *corev1ac.ProbeApplyConfiguration {
	return corev1ac.Probe().
		WithTimeoutSeconds(2).
		WithHTTPGet(corev1ac.HTTPGetAction().WithPath(path).WithPort(intstr.FromString(adminPortName)))
}

// podLabels are the user's, with ours on top.
func podLabels(p *v1alpha1.RateLimitPolicy) map[string]string {
	labels := map[string]string{}
	if settings := p.Spec.Echo.Pod; settings != nil {
		labels = plain(settings.Labels)
	}
	maps.Copy(labels, echoLabels(p.Name))
	if UsesManagedRedis(p) {
		labels[v1alpha1.LabelRedisClient] = v1alpha1.RedisClientManaged
	}
	return labels
}

// spread asks for the pods of one rollout to lie on different nodes, and runs
// them on one node rather than not at all.
func spread(p *v1alpha1.RateLimitPolicy) *corev1ac.TopologySpreadConstraintApplyConfiguration {
	return corev1ac.TopologySpreadConstraint().
		WithMaxSkew(1).
		WithTopologyKey(corev1.LabelHostname).
		WithWhenUnsatisfiable(corev1.ScheduleAnyway).
		WithLabelSelector(selectorOf(EchoSelector(p.Name))).
		WithMatchLabelKeys(appsv1.DefaultDeploymentUniqueLabelKey)
}

// addPodSettings adds what the user wants; what is empty is left out, so that it
// is not owned as empty.
func addPodSettings(template *corev1ac.PodTemplateSpecApplyConfiguration, s *v1alpha1.PodSettings) {
	if len(s.Annotations) > 0 {
		template.WithAnnotations(plain(s.Annotations))
	}
	if len(s.NodeSelector) > 0 {
		template.Spec.WithNodeSelector(plain(s.NodeSelector))
	}
	if s.PriorityClassName != "" {
		template.Spec.WithPriorityClassName(s.PriorityClassName)
	}
	for _, secret := range s.ImagePullSecrets {
		template.Spec.WithImagePullSecrets(corev1ac.LocalObjectReference().WithName(secret.Name))
	}
	for _, t := range s.Tolerations {
		template.Spec.WithTolerations(toleration(t))
	}
}

func toleration(t v1alpha1.Toleration) *corev1ac.TolerationApplyConfiguration {
	ac := corev1ac.Toleration()
	if t.Key != "" {
		ac.WithKey(t.Key)
	}
	if t.Operator != "" {
		ac.WithOperator(corev1.TolerationOperator(t.Operator))
	}
	if t.Value != "" {
		ac.WithValue(t.Value)
	}
	if t.Effect != "" {
		ac.WithEffect(corev1.TaintEffect(t.Effect))
	}
	if t.TolerationSeconds != nil {
		ac.WithTolerationSeconds(*t.TolerationSeconds)
	}
	return ac
}

func plain[T ~string](values map[string]T) map[string]string {
	converted := make(map[string]string, len(values))
	for key, value := range values {
		converted[key] = string(value)
	}
	return converted
}
