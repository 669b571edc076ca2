package controllers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
	"github.com/echo-operator/echo-operator/controllers/desired"
)

// rotationRecheck is how often pods are looked at while a new password is on
// its way into them; their answers bring news sooner.
const rotationRecheck = time.Second

// previousPasswordKey holds, during a rotation, the password that is on its way
// out; no pod mounts it.
const previousPasswordKey = "previous-password"

// rotate moves a rotation of the pods' password one step on, so that at every
// moment each pod holds a password that Redis accepts:
//
//  1. Redis accepts the old and a new password; the Secret gets the new one.
//  2. The pods' files are refreshed until all counted pods say they use it.
//  3. Redis accepts the new one only.
//
// Each step is found again from the Secret, so a restart goes on where it was.
func (r *redisReconciler) rotate(ctx context.Context, namespace string, users []*v1alpha1.RateLimitPolicy, secret *corev1.Secret) (time.Duration, error) {
	token := secret.Annotations[v1alpha1.AnnotationRotate]
	if len(secret.Data[previousPasswordKey]) == 0 {
		if token == "" || token == secret.Annotations[v1alpha1.AnnotationRotated] {
			return 0, nil
		}
		return rotationRecheck, r.beginRotation(ctx, namespace, secret)
	}
	current := string(secret.Data[desired.PasswordKey])
	moved, err := r.passwordMoved(ctx, users, desired.CredentialsVersion(current))
	if err != nil || !moved {
		return rotationRecheck, err
	}
	return 0, r.endRotation(ctx, namespace, secret)
}

// beginRotation tells Redis first: a crash in between leaves an accepted
// password that nobody knows, and the next try takes it away again.
func (r *redisReconciler) beginRotation(ctx context.Context, namespace string, secret *corev1.Secret) error {
	passwords := passwordsIn(secret)
	passwords.Previous, passwords.Echo = passwords.Echo, rand.Text()
	if err := r.admin.SetPodUser(ctx, namespace, passwords); err != nil {
		return err
	}
	err := r.updateSecret(ctx, secret, func(s *corev1.Secret) {
		s.Data = desired.RedisSecretData(passwords)
		s.Data[previousPasswordKey] = []byte(passwords.Previous)
	})
	return errors.Join(err, r.refreshRedisUsers(ctx, namespace))
}

// endRotation writes the Secret last: a crash in between repeats the harmless step.
func (r *redisReconciler) endRotation(ctx context.Context, namespace string, secret *corev1.Secret) error {
	passwords := passwordsIn(secret)
	passwords.Previous = ""
	if err := r.admin.SetPodUser(ctx, namespace, passwords); err != nil {
		return err
	}
	err := r.updateSecret(ctx, secret, func(s *corev1.Secret) {
		s.Data = desired.RedisSecretData(passwords)
		setAnnotation(s, v1alpha1.AnnotationRotated, s.Annotations[v1alpha1.AnnotationRotate])
	})
	return errors.Join(err, r.refreshRedisUsers(ctx, namespace))
}

// refreshRedisUsers pokes the instance's pod, so that a server that restarts
// soon does not read the users of a minute ago.
func (r *redisReconciler) refreshRedisUsers(ctx context.Context, namespace string) error {
	var pods corev1.PodList
	labels := client.MatchingLabels{v1alpha1.LabelComponent: v1alpha1.ComponentRedis}
	if err := r.client.List(ctx, &pods, client.InNamespace(namespace), labels); err != nil {
		return err
	}
	var failures []error
	for i := range pods.Items {
		failures = append(failures, r.poke(ctx, namespace, &podFact{uid: pods.Items[i].UID, name: pods.Items[i].Name}, map[string]string{}))
	}
	return errors.Join(failures...)
}

func passwordsIn(secret *corev1.Secret) desired.RedisPasswords {
	return desired.RedisPasswords{
		Operator: string(secret.Data[desired.OperatorPasswordKey]),
		Echo:     string(secret.Data[desired.PasswordKey]),
		Previous: string(secret.Data[previousPasswordKey]),
	}
}

// passwordMoved reports whether every counted pod uses the password of this
// version, and pokes those that do not.
func (r *redisReconciler) passwordMoved(ctx context.Context, users []*v1alpha1.RateLimitPolicy, version string) (bool, error) {
	moved := true
	var failures []error
	for i := range users {
		p := users[i]
		live, err := r.observer.children(ctx, p)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		pods, err := r.observer.pods(ctx, p, live.deployment)
		failures = append(failures, err)
		answers := r.prober.Answers(client.ObjectKeyFromObject(p))
		for j := range pods {
			pod := &pods[j]
			if answers[pod.uid].Config.Store.CredentialsVersion == version {
				continue
			}
			moved = moved && !pod.serving
			failures = append(failures, r.poke(ctx, p.Namespace, pod, map[string]string{v1alpha1.AnnotationCredentialsVersion: version}))
		}
		r.prober.Recheck(client.ObjectKeyFromObject(p))
	}
	if err := errors.Join(failures...); err != nil {
		return false, fmt.Errorf("bringing the new password into the pods: %w", err)
	}
	return moved, nil
}

// poke changes an annotation besides those given, so that the kubelet refreshes the pod's files.
func (r *redisReconciler) poke(ctx context.Context, namespace string, pod *podFact, annotations map[string]string) error {
	annotations[v1alpha1.AnnotationPoke] = strconv.FormatInt(r.clock.Now().UnixMilli(), 10)
	poker := &rollout{client: r.client, clock: r.clock}
	return poker.poke(ctx, namespace, pod, annotations)
}
