package lever

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/lever-go/lever/internal/publish"
	"github.com/lever-go/lever/internal/regular"
	"github.com/lever-go/lever/spec/gaincost"
	"github.com/minio/sha256-simd"
)

// keptLearned is the file that keeps what policies have learned of a pair of models.
type keptLearned struct {
	path string
	pair modelPair

	mu     sync.Mutex
	latest *gaincost.Lever // that generated last, or nil
}

// modelPair are the hashes of two stores; that of a draft is empty where there is none.
type modelPair struct{ Target, Draft string }

// learnedFile is what the file holds. One of other models, or that is damaged, is taken for none: it is no more than a few passes' worth.
type learnedFile struct {
	Pair  modelPair       `json:"pair"`
	Lever json.RawMessage `json:"lever"`
}

const maxLearned = 4 << 20 // bytes of a file

// openLearned finds the file of the engine's models in the folder learned of the cache, if there is a cache.
func (e *Engine) openLearned(cfg Config) error {
	cache, err := cfg.cacheDir()
	if err != nil {
		return nil
	}
	header, err := e.sessionHeader()
	if err != nil {
		return fmt.Errorf("lever: %w", err)
	}
	sum := sha256.Sum256([]byte(header.Target + " " + header.Draft))
	name := hex.EncodeToString(sum[:16]) + ".json"
	e.learned = &keptLearned{path: filepath.Join(cache, "learned", name), pair: modelPair{header.Target, header.Draft}}
	return nil
}

// NewLever returns the policy lever for requests to this engine, which looks up the engine's earlier answers, too. With [Config].KeepLearned it
// starts from what such a policy had learned of these models, and Close keeps what the one that generated last has learned.
func (e *Engine) NewLever(o gaincost.LeverOptions) (*gaincost.Lever, error) {
	o.Costs = e.OffloadCosts(o.Costs)
	if plan, streams := e.Plan(); streams {
		o.Costs.PassBytes = max(1, plan.Streamed) // 0 would mean that it is not known
	}
	if o.Lookup.Answers == nil {
		o.Lookup.Answers = e.Answers()
	}
	l, err := gaincost.NewLever(o)
	if err != nil || e.learned == nil {
		return l, err
	}
	var file learnedFile
	if data, err := regular.Read(e.learned.path, maxLearned); err == nil && json.Unmarshal(data, &file) == nil && file.Pair == e.learned.pair {
		_ = l.UnmarshalJSON(file.Lever) // or it starts from nothing
	}
	return l, nil
}

// used notes that a policy has generated.
func (k *keptLearned) used(policy any) {
	if l, ok := policy.(*gaincost.Lever); ok && k != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.latest = l
	}
}

// save writes the file, whole or not at all. Where it can't be written, nothing is kept.
func (k *keptLearned) save() {
	if k == nil || k.latest == nil {
		return
	}
	lever, err := k.latest.MarshalJSON()
	if err != nil {
		return
	}
	data, err := json.Marshal(learnedFile{k.pair, lever})
	if err != nil || os.MkdirAll(filepath.Dir(k.path), 0o755) != nil {
		return
	}
	_ = publish.File(k.path, 0o600, func(file *os.File) error {
		_, err := file.Write(data)
		return err
	})
}
