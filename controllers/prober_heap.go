package controllers

// probeHeap orders pods by the time they are due.
type probeHeap []*probedPod

func (h probeHeap) Len() int           { return len(h) }
func (h probeHeap) Less(i, j int) bool { return h[i].dueAt.Before(h[j].dueAt) }
func (h probeHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is for container/heap.
func (h *probeHeap) Push(x any) {
	pod, _ := x.(*probedPod)
	pod.index = len(*h)
	*h = append(*h, pod)
}

// Pop is for container/heap.
func (h *probeHeap) Pop() any {
	old := *h
	pod := old[len(old)-1]
	pod.index = -1
	*h = old[:len(old)-1]
	return pod
}
