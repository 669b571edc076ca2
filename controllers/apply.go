package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// applier writes objects by server-side apply and only when the API server
// does not have them as intended already.
type applier struct {
	client client.Client

	mu   sync.Mutex
	sent map[sentKey]sentApply
}

type sentKey struct{ kind, namespace, name string }

// sentApply remembers the last apply of an object, for the moments in which the
// cache has not seen its result yet.
type sentApply struct {
	intent [sha256.Size]byte
	// written is the object's resourceVersion that the apply led to.
	written string
}

func newApplier(c client.Client) *applier {
	return &applier{client: c, sent: map[sentKey]sentApply{}}
}

// apply makes the object what intent says. live is the object as last read, nil
// when there is none; it must be known to be ours.
func (a *applier) apply(ctx context.Context, live client.Object, intent runtime.ApplyConfiguration) error {
	want, err := toMap(intent)
	if err != nil {
		return err
	}
	digest, err := digestOf(want)
	if err != nil {
		return err
	}
	object := &unstructured.Unstructured{Object: want}
	key := sentKey{kind: object.GetKind(), namespace: object.GetNamespace(), name: object.GetName()}
	if live != nil {
		if a.alreadySent(key, digest, live.GetResourceVersion()) {
			return nil
		}
		same, err := ownsExactly(live, want)
		if err != nil || same {
			return err
		}
	}
	written, err := a.send(ctx, object, live)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent[key] = sentApply{intent: digest, written: written}
	return nil
}

// send applies. What is not there yet is applied without force, so that a
// foreign object that came meanwhile is not overwritten; what is there carries
// its UID, so that an object that was made anew meanwhile is a conflict.
func (a *applier) send(ctx context.Context, object *unstructured.Unstructured, live client.Object) (string, error) {
	what := fmt.Sprintf("%s %s/%s", object.GetKind(), object.GetNamespace(), object.GetName())
	options := []client.ApplyOption{client.FieldOwner(FieldManager)}
	if live != nil {
		object.SetUID(live.GetUID())
		options = append(options, client.ForceOwnership)
	}
	if err := a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), options...); err != nil {
		return "", fmt.Errorf("applying %s: %w", what, err)
	}
	return object.GetResourceVersion(), nil
}

func (a *applier) alreadySent(key sentKey, intent [sha256.Size]byte, current string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	last, ok := a.sent[key]
	return ok && last.intent == intent && (current == last.written || older(current, last.written))
}

// older reports whether one resourceVersion comes before another of the same
// object; what cannot be compared is not.
func older(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order < 0
}

// forget drops what is remembered of the named objects of a namespace.
func (a *applier) forget(namespace string, names ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.sent, func(key sentKey, _ sentApply) bool {
		return key.namespace == namespace && slices.Contains(names, key.name)
	})
}

// delete removes an object that is ours, by UID; one that is gone already is no error.
func (a *applier) delete(ctx context.Context, live client.Object) error {
	uid := live.GetUID()
	err := a.client.Delete(ctx, live, client.Preconditions{UID: &uid})
	return client.IgnoreNotFound(err)
}

// applyInto returns a function that applies one object after the other and
// collects what failed; an intent of nil deletes the object.
func applyInto(ctx context.Context, a *applier, failures *[]error) func(client.Object, runtime.ApplyConfiguration) {
	return func(live client.Object, intent runtime.ApplyConfiguration) {
		var err error
		switch {
		case isNil(intent) && isNil(live):
		case isNil(intent):
			err = a.delete(ctx, live)
		case isNil(live):
			err = a.apply(ctx, nil, intent)
		default:
			err = a.apply(ctx, live, intent)
		}
		*failures = append(*failures, err)
	}
}

func digestOf(intent map[string]any) ([sha256.Size]byte, error) {
	data, err := json.Marshal(intent) // map keys are sorted, so equal intents give equal bytes
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return sha256.Sum256(data), nil
}

// invalidIntent reports whether the API server refused an object for what it
// says; sending it again will not help.
func invalidIntent(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsRequestEntityTooLargeError(err)
}

// isNil also finds the nil pointers that hide in an interface.
func isNil(v any) bool {
	return v == nil || reflect.ValueOf(v).IsNil()
}
