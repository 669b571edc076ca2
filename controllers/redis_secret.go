package controllers

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/controllers/desired"
)

// ensureSecret returns the instance's Secret. Its passwords are made once, by
// Create, and are in no apply; only its owners are kept up to date.
func (r *redisReconciler) ensureSecret(ctx context.Context, in desired.RedisInputs, live *corev1.Secret) (*corev1.Secret, error) {
	if live == nil {
		return r.createSecret(ctx, in)
	}
	owners := desired.RedisOwners(in.Policies)
	if equality.Semantic.DeepEqual(live.OwnerReferences, owners) {
		return live, nil
	}
	return live, r.updateSecret(ctx, live, func(s *corev1.Secret) { s.OwnerReferences = owners })
}

func (r *redisReconciler) createSecret(ctx context.Context, in desired.RedisInputs) (*corev1.Secret, error) {
	secret := desired.RedisSecret(in, desired.RedisPasswords{Operator: rand.Text(), Echo: rand.Text()})
	err := r.client.Create(ctx, secret, client.FieldOwner(FieldManager))
	if apierrors.IsAlreadyExists(err) {
		// Somebody was faster, perhaps a former leader: look again rather than guess whose it is.
		return nil, &waitingError{reason: v1alpha1.ReasonProgressing, message: "the Redis Secret appeared meanwhile", after: time.Second}
	}
	if err != nil {
		return nil, fmt.Errorf("creating Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	return secret, nil
}

// updateSecret writes what change changes, if nobody wrote the Secret since it was read.
func (r *redisReconciler) updateSecret(ctx context.Context, secret *corev1.Secret, change func(*corev1.Secret)) error {
	before := secret.DeepCopy()
	change(secret)
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.client.Patch(ctx, secret, patch, client.FieldOwner(FieldManager)); err != nil {
		return fmt.Errorf("updating Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	return nil
}

func setAnnotation(object metav1.Object, key, value string) {
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	object.SetAnnotations(annotations)
}
