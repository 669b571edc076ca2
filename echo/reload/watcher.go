package reload

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/echo-operator/echo-operator/echo/config"
)

// DefaultPollInterval is how long a change stays unseen when the operating
// system does not tell about it.
const DefaultPollInterval = 5 * time.Second

// maxMessageBytes bounds the reason that Status gives for a refusal.
const maxMessageBytes = 2048

// Status is what a [Watcher] runs, and why not the newest file.
type Status struct {
	// Hash is over the bytes of the file in force, empty before the first load.
	Hash       string
	LimitsHash string
	Generation int64
	LoadedAt   time.Time
	// LastError is nil unless the file as it is now could not be taken over. Its
	// Hash is empty when the file could not be read.
	LastError *config.ConfigzError
}

// Observer is told how reloads end. Its methods must not block.
type Observer interface {
	// Loaded is called after a file was taken over, the first one included.
	Loaded(hash string, generation int64)
	// Refused is called once for each file that could not be taken over.
	Refused()
}

// Watcher keeps a process on the newest good limits file.
type Watcher struct {
	path      string
	apply     func(*Loaded) error
	observer  Observer
	logger    *slog.Logger
	pollEvery time.Duration

	// checking keeps two checks from overtaking each other.
	checking sync.Mutex
	mu       sync.Mutex
	status   Status
}

// Option changes a [Watcher].
type Option func(*Watcher)

// WithObserver tells o about each reload.
func WithObserver(o Observer) Option { return func(w *Watcher) { w.observer = o } }

// WithLogger logs each reload and each refusal; nothing is logged without it.
func WithLogger(l *slog.Logger) Option { return func(w *Watcher) { w.logger = l } }

// WithPollInterval looks at the file that often even when nothing told of a
// change; an interval that is not positive means DefaultPollInterval.
func WithPollInterval(d time.Duration) Option {
	return func(w *Watcher) {
		if d > 0 {
			w.pollEvery = d
		}
	}
}

// New returns a Watcher of the limits file at path. apply puts a file into
// force; when it returns an error the one before stays, and the file is not
// tried again until its bytes change. Calls of apply never overlap.
func New(path string, apply func(*Loaded) error, options ...Option) *Watcher {
	w := &Watcher{
		path:      filepath.Clean(path),
		apply:     apply,
		observer:  nobody{},
		logger:    slog.New(slog.DiscardHandler),
		pollEvery: DefaultPollInterval,
	}
	for _, option := range options {
		option(w)
	}
	return w
}

// Status returns what is in force. It is safe for concurrent use.
func (w *Watcher) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.status
	if s.LastError != nil {
		lastError := *s.LastError
		s.LastError = &lastError
	}
	return s
}

// Load reads the file and puts it into force if it is not already. Its error
// says what is wrong with the file as it is now; what was in force stays.
func (w *Watcher) Load() error {
	w.checking.Lock()
	defer w.checking.Unlock()
	data, err := read(w.path)
	if err != nil {
		return w.refuse("", err, err)
	}
	hash, now := config.Hash(data), w.Status()
	if hash == now.Hash {
		w.recovered(now)
		return nil
	}
	if e := now.LastError; e != nil && e.Hash == hash {
		return fmt.Errorf("%s: %s", w.path, e.Message)
	}
	loaded, err := Parse(data)
	if err == nil {
		err = w.apply(loaded)
	}
	if err != nil {
		return w.refuse(hash, err, fmt.Errorf("%s: %w", w.path, err))
	}
	w.accept(loaded)
	return nil
}

func (w *Watcher) accept(loaded *Loaded) {
	w.set(Status{
		Hash: loaded.Hash, LimitsHash: loaded.LimitsHash,
		Generation: loaded.Generation, LoadedAt: time.Now().UTC(),
	})
	w.observer.Loaded(loaded.Hash, loaded.Generation)
	w.logger.Info("limits loaded", "file", w.path, "hash", loaded.Hash, "generation", loaded.Generation)
}

// refuse records why the file of that hash is not in force, and returns named.
// The same file or the same trouble with reading it is told once, however often
// it is looked at.
func (w *Watcher) refuse(hash string, why, named error) error {
	now := w.Status()
	lastError := &config.ConfigzError{Hash: hash, Message: bounded(why.Error())}
	if now.LastError != nil && *now.LastError == *lastError {
		return named
	}
	now.LastError = lastError
	w.set(now)
	w.observer.Refused()
	w.logger.Error("limits refused, the ones before stay in force", "file", w.path, "hash", hash, "error", lastError.Message)
	return named
}

// recovered notes that the file says again what is in force.
func (w *Watcher) recovered(now Status) {
	if now.LastError == nil {
		return
	}
	now.LastError = nil
	w.set(now)
	w.logger.Info("limits file is again the one in force", "file", w.path, "hash", now.Hash)
}

func (w *Watcher) set(s Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = s
}

// bounded cuts a message, between characters, to what a status may carry.
func bounded(message string) string {
	if len(message) <= maxMessageBytes {
		return message
	}
	cut := 0
	for i := range message {
		if i > maxMessageBytes {
			break
		}
		cut = i
	}
	return message[:cut] + "..."
}

type nobody struct{}

func (nobody) Loaded(string, int64) {}
func (nobody) Refused()             {}
