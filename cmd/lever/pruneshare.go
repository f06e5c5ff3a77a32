package main

import (
	"fmt"
	"strconv"

	"github.com/lever-go/lever"
)

// pruneShare is the value of --prune, as lever.Config takes it.
type pruneShare float64

// String returns what was given.
func (p *pruneShare) String() string {
	switch *p {
	case lever.PruneAuto:
		return "auto"
	case lever.PruneOff:
		return "off"
	}
	return strconv.FormatFloat(float64(*p), 'g', -1, 64)
}

// Type names the value in help texts.
func (*pruneShare) Type() string { return "auto|off|share" }

// Set parses what was given. A share of 0 is off.
func (p *pruneShare) Set(text string) error {
	switch text {
	case "auto":
		*p = lever.PruneAuto
		return nil
	case "off":
		*p = lever.PruneOff
		return nil
	}
	share, err := strconv.ParseFloat(text, 64)
	if err != nil || !(share >= 0 && share <= 1) {
		return fmt.Errorf("%q is neither auto nor off nor a share from 0 to 1", text)
	}
	if *p = pruneShare(share); share == 0 {
		*p = lever.PruneOff
	}
	return nil
}
