package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/profile"
	"github.com/lever-go/lever/spec/gaincost"
	"github.com/lever-go/lever/weights"
)

// defaultProfilePath is where lever profile leaves what it measured, and where other commands look for it.
func defaultProfilePath() (string, error) {
	dir, err := lever.CacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "profile.json"), nil
}

// loadProfile returns the profile at path, or, for an empty path, the one that lever profile left, or nil if there is none.
func loadProfile(path string) (*profile.Profile, error) {
	if path != "" {
		return profile.Load(path)
	}
	path, err := defaultProfilePath()
	if err != nil {
		return nil, err
	}
	p, err := profile.Load(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w; lever profile makes a new one", err)
	}
	return p, nil
}

// profiledCosts returns what passes over the engine's models cost by the profile; the zero Costs, which are measured while
// generating, where the profile is of other models or kernels.
func profiledCosts(p *profile.Profile, engine *lever.Engine) (gaincost.Costs, error) {
	if p == nil || p.Kernels != kernels.Default().Name() {
		return gaincost.Costs{}, nil
	}
	target, draft := engine.Stores()
	for _, m := range []struct {
		measured *profile.ModelTimes
		store    *weights.Store
	}{{p.Target, target}, {p.Draft, draft}} {
		if m.measured == nil || m.store == nil {
			return gaincost.Costs{}, nil
		}
		if hash, err := m.store.Hash(); err != nil || hash != m.measured.Hash {
			return gaincost.Costs{}, err
		}
	}
	var plan profile.PassReads
	if streamed, ok := engine.Plan(); ok {
		plan = profile.PassReadsOf(streamed)
	}
	return p.Costs(plan)
}
