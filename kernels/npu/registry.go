package npu

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Opener opens a device. config is what follows the driver's name and a colon in the name given to [Open]: which device or profile; it may
// be empty. An error begins with the driver's name and says why it is absent here.
type Opener func(ctx context.Context, config string) (Device, error)

var (
	driversMu sync.Mutex
	drivers   = map[string]Opener{}
)

// Register makes a driver known under a name. Packages of drivers call it when they are initialised; a second driver of the same name is a
// mistake of the program and panics.
func Register(name string, open Opener) {
	driversMu.Lock()
	defer driversMu.Unlock()
	if _, found := drivers[name]; found || name == "" || strings.Contains(name, ":") {
		panic(fmt.Sprintf("npu: driver %q is registered twice, or has no proper name", name))
	}
	drivers[name] = open
}

// Drivers returns the names of the registered drivers, sorted. Whether there is a device for them only [Open] shows.
func Drivers() []string {
	driversMu.Lock()
	defer driversMu.Unlock()
	names := make([]string, 0, len(drivers))
	for name := range drivers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Open opens a device by its driver's name, or the name, a colon and what the driver is to open: "sim:snapdragon-8-gen-3". A driver that
// is not registered is an error that wraps [ErrUnsupported].
func Open(ctx context.Context, name string) (Device, error) {
	driver, config, _ := strings.Cut(name, ":")
	driversMu.Lock()
	open := drivers[driver]
	driversMu.Unlock()
	if open == nil {
		return nil, fmt.Errorf("npu: no driver %q, there are %s: %w", driver, strings.Join(Drivers(), ", "), ErrUnsupported)
	}
	d, err := open(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("npu: %w", err)
	}
	return d, nil
}
