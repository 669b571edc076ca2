package v1alpha1

import "k8s.io/apimachinery/pkg/api/resource"

// Echo is the pods that answer and enforce.
type Echo struct {
	// replicas is how many pods there are. Autoscalers target the policy's /scale
	// subresource, never the Deployment.
	// +optional
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Replicas *int32 `json:"replicas,omitempty"`

	// image is the echo image; the operator's --echo-image when absent.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^\S*$`
	Image string `json:"image,omitempty"`

	// resources of the echo container. What is absent is filled in: small
	// requests and a memory limit.
	// +optional
	Resources *ResourceRequirements `json:"resources,omitempty"`

	// pod is what is added to the pods.
	// +optional
	Pod *PodSettings `json:"pod,omitempty"`

	// service is what is added to the Service.
	// +optional
	Service *ServiceSettings `json:"service,omitempty"`
}

// ResourceName is the name of a compute resource.
type ResourceName string

const (
	// ResourceCPU is processor time.
	ResourceCPU ResourceName = "cpu"
	// ResourceMemory is memory.
	ResourceMemory ResourceName = "memory"
)

// ResourceList is an amount for each resource.
//
// +kubebuilder:validation:MaxProperties=16
type ResourceList map[ResourceName]resource.Quantity

// ResourceRequirements are what a container asks for and may use.
type ResourceRequirements struct {
	// requests is what is set aside for the container.
	// +optional
	Requests ResourceList `json:"requests,omitempty"`

	// limits is what the container may use at most.
	// +optional
	Limits ResourceList `json:"limits,omitempty"`
}

// LabelValue is the value of a label.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$`
type LabelValue string

// AnnotationValue is the value of an annotation.
//
// +kubebuilder:validation:MaxLength=4096
type AnnotationValue string

// PodSettings are added to the pods; the operator's own labels and annotations stay.
type PodSettings struct {
	// labels are added to the pods.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.contains('echo-operator.dev/') && !k.startsWith('app.kubernetes.io/'))",message="labels must not start with app.kubernetes.io/ or lie under echo-operator.dev/, which the operator sets itself; choose another prefix"
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// annotations are added to the pods.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.contains('echo-operator.dev/'))",message="annotations must not lie under echo-operator.dev/, which the operator sets itself; choose another prefix"
	Annotations map[string]AnnotationValue `json:"annotations,omitempty"`

	// nodeSelector restricts the pods to nodes with these labels.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	NodeSelector map[string]LabelValue `json:"nodeSelector,omitempty"`

	// tolerations let the pods onto tainted nodes.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Tolerations []Toleration `json:"tolerations,omitempty"`

	// imagePullSecrets are the Secrets to pull the image with.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	ImagePullSecrets []LocalObjectReference `json:"imagePullSecrets,omitempty"`

	// priorityClassName is the pods' priority class.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`
}

// TolerationOperator is how a toleration compares values.
//
// +kubebuilder:validation:Enum=Exists;Equal
type TolerationOperator string

// TaintEffect is what a taint does to pods that do not tolerate it.
//
// +kubebuilder:validation:Enum=NoSchedule;PreferNoSchedule;NoExecute
type TaintEffect string

// Toleration lets a pod onto nodes with a taint. The fields are those of
// Kubernetes' own type.
//
// +kubebuilder:validation:XValidation:rule="has(self.key) || (has(self.operator) && self.operator == 'Exists')",message="operator must be Exists when key is absent, which tolerates every taint; set key, or operator: Exists"
// +kubebuilder:validation:XValidation:rule="!has(self.value) || !has(self.operator) || self.operator == 'Equal'",message="value must be absent with operator Exists; remove value, or set operator: Equal"
// +kubebuilder:validation:XValidation:rule="!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",message="tolerationSeconds needs effect NoExecute, the only one that evicts; set effect: NoExecute, or remove tolerationSeconds"
type Toleration struct {
	// key is the taint's key; every taint when absent.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=316
	Key string `json:"key,omitempty"`

	// operator is Equal (the default) or Exists.
	// +optional
	Operator TolerationOperator `json:"operator,omitempty"`

	// value is the taint's value, with operator Equal.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Value string `json:"value,omitempty"`

	// effect is the taint's effect; every effect when absent.
	// +optional
	Effect TaintEffect `json:"effect,omitempty"`

	// tolerationSeconds is how long a NoExecute taint is tolerated; for ever when absent.
	// +optional
	TolerationSeconds *int64 `json:"tolerationSeconds,omitempty"`
}

// ServiceSettings are added to the Service.
type ServiceSettings struct {
	// annotations are added to the Service.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.contains('echo-operator.dev/'))",message="annotations must not lie under echo-operator.dev/, which the operator sets itself; choose another prefix"
	Annotations map[string]AnnotationValue `json:"annotations,omitempty"`
}
