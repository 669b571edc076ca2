package reload

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// dataLink is the link that the kubelet swaps once a mounted ConfigMap's new
	// files are complete.
	dataLink = "..data"
	// settleTime is how long a file that is written in place must rest before it
	// is read: the first half of a file may be a valid file with fewer rules.
	settleTime = 50 * time.Millisecond
)

// Run loads the file, unless Load did, and then takes every change over until
// ctx ends, when it returns nil. Its error is the first load's. It must be
// called once.
func (w *Watcher) Run(ctx context.Context) error {
	if w.Status().Hash == "" {
		if err := w.Load(); err != nil {
			return err
		}
	}
	n := notifier{dir: filepath.Dir(w.path), watcher: w}
	defer n.close()
	n.ensure()
	w.look() // A change between the first load and the watch has told nobody.

	poll := time.NewTicker(w.pollEvery)
	defer poll.Stop()
	// Its first tick is for whoever was writing during the first load.
	settled := time.NewTimer(settleTime)
	defer settled.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-n.events():
			w.react(event, settled)
		case err := <-n.errors():
			w.logger.Warn("watching the limits file failed, looking at it instead", "file", w.path, "error", err)
			w.look()
		case <-settled.C:
			w.look()
		case <-poll.C:
			n.ensure()
			w.look()
		}
	}
}

// react reads a swapped ConfigMap at once and anything else when it has settled.
func (w *Watcher) react(event fsnotify.Event, settled *time.Timer) {
	switch filepath.Base(event.Name) {
	case dataLink:
		if event.Has(fsnotify.Create) {
			w.look()
		}
	case filepath.Base(w.path):
		settled.Reset(settleTime)
	}
}

// look loads the file if it changed. Load has recorded and logged its error.
func (w *Watcher) look() { _ = w.Load() }

// notifier is the operating system's news about a folder, as long as there are
// any: neither a missing folder nor an exhausted kernel table stops a Watcher.
type notifier struct {
	dir     string
	watcher *Watcher
	fs      *fsnotify.Watcher
	// complained keeps a lasting failure from being logged at every poll.
	complained bool
}

// ensure watches the folder, also one that was removed and made again.
func (n *notifier) ensure() {
	err := n.watch()
	if err != nil && !n.complained {
		n.watcher.logger.Warn("cannot watch the limits file's folder, looking at it at intervals", "folder", n.dir, "error", err)
	}
	n.complained = err != nil
}

func (n *notifier) watch() error {
	if n.fs == nil {
		fs, err := fsnotify.NewWatcher()
		if err != nil {
			return err
		}
		n.fs = fs
	}
	if slices.Contains(n.fs.WatchList(), n.dir) {
		return nil
	}
	return n.fs.Add(n.dir)
}

func (n *notifier) events() <-chan fsnotify.Event {
	if n.fs == nil {
		return nil
	}
	return n.fs.Events
}

func (n *notifier) errors() <-chan error {
	if n.fs == nil {
		return nil
	}
	return n.fs.Errors
}

func (n *notifier) close() {
	if n.fs == nil {
		return
	}
	if err := n.fs.Close(); err != nil {
		n.watcher.logger.Warn("closing the watch of the limits file failed", "error", err)
	}
}
