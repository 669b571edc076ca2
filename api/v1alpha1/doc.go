// Package v1alpha1 is the RateLimitPolicy API: the types that users write and
// the conditions, reasons, labels and annotations that the operator answers
// with. It imports apimachinery only, so that clients stay small.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +kubebuilder:ac:output:package="applyconfiguration"
// +groupName=ratelimit.echo-operator.dev
package v1alpha1
