package harness

import (
	"context"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
)

// Inventory is all that a namespace holds: "resource/name" to resourceVersion.
type Inventory map[string]string

// Inventory lists a namespace's objects of every kind that the API server has,
// except what Kubernetes itself puts into each namespace.
func (k *Kube) Inventory(ctx context.Context, namespace string) (Inventory, error) {
	kinds, err := namespacedKinds(k)
	if err != nil {
		return nil, err
	}
	client, err := metadata.NewForConfig(k.Config)
	if err != nil {
		return nil, err
	}
	all := Inventory{}
	for _, kind := range kinds {
		list, err := client.Resource(kind).Namespace(namespace).List(ctx, metav1.ListOptions{})
		if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listing %s in %s: %w", kind.Resource, namespace, err)
		}
		for _, object := range list.Items {
			all[kind.Resource+"/"+object.Name] = object.ResourceVersion
		}
	}
	delete(all, "configmaps/kube-root-ca.crt")
	delete(all, "serviceaccounts/default")
	return all, nil
}

func namespacedKinds(k *Kube) ([]schema.GroupVersionResource, error) {
	client, err := discovery.NewDiscoveryClientForConfig(k.Config)
	if err != nil {
		return nil, err
	}
	lists, err := discovery.ServerPreferredNamespacedResources(client)
	if err != nil {
		return nil, fmt.Errorf("asking which kinds there are: %w", err)
	}
	listable := discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list"}}, lists)
	kinds, err := discovery.GroupVersionResources(listable)
	if err != nil {
		return nil, err
	}
	// Events exist in two groups and outlive what they are about.
	maps.DeleteFunc(kinds, func(kind schema.GroupVersionResource, _ struct{}) bool { return kind.Resource == "events" })
	return slices.Collect(maps.Keys(kinds)), nil
}

// Names lists what the inventory holds.
func (i Inventory) Names() []string { return slices.Sorted(maps.Keys(i)) }
