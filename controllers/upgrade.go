package controllers

import (
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/echo-operator/echo-operator/api/v1alpha1"
)

// upgrades bounds how many Deployments roll at once because the operator itself
// changed, as when a new release brings a new image. What a user edits rolls at once.
type upgrades struct {
	limit int

	mu      sync.Mutex
	rolling map[types.NamespacedName]bool
}

func newUpgrades(limit int) *upgrades {
	return &upgrades{limit: limit, rolling: map[types.NamespacedName]bool{}}
}

// mayApply reports whether the Deployment may be written now; false means that
// its rollout waits for others to end.
func (u *upgrades) mayApply(p *v1alpha1.RateLimitPolicy, live *appsv1.Deployment, intent runtime.ApplyConfiguration) (bool, error) {
	if live == nil {
		return true, nil
	}
	changed, err := templateChanged(live, intent)
	if err != nil {
		return false, err
	}
	key := client.ObjectKeyFromObject(p)
	u.mu.Lock()
	defer u.mu.Unlock()
	if !changed {
		u.note(key, live)
		return true, nil
	}
	if p.Generation != p.Status.ObservedGeneration || u.rolling[key] {
		return true, nil // the user's own edit
	}
	if len(u.rolling) >= u.limit {
		return false, nil
	}
	u.rolling[key] = true
	return true, nil
}

// note keeps the count right across restarts: a Deployment that is found half
// rolled takes a place, one that is done gives it back.
func (u *upgrades) note(key types.NamespacedName, live *appsv1.Deployment) {
	if rolledOut(live) {
		delete(u.rolling, key)
	} else if live.Status.UpdatedReplicas < live.Status.Replicas {
		u.rolling[key] = true
	}
}

func (u *upgrades) forget(key types.NamespacedName) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.rolling, key)
}

// templateChanged reports whether applying intent would change the fields of
// the pod template that are ours, and so replace the pods.
func templateChanged(live *appsv1.Deployment, intent runtime.ApplyConfiguration) (bool, error) {
	extracted, err := extractOwned(live)
	if err != nil {
		return false, err
	}
	owned, err := toMap(extracted)
	if err != nil {
		return false, err
	}
	wanted, err := toMap(intent)
	if err != nil {
		return false, err
	}
	return !equality.Semantic.DeepEqual(templateOf(owned), templateOf(wanted)), nil
}

func templateOf(deployment map[string]any) any {
	spec, _ := deployment["spec"].(map[string]any)
	return spec["template"]
}
