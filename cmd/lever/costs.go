package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/profile"
	"github.com/lever-go/lever/weights"
)

// rates say how fast a machine reads, in bytes per second.
type rates struct{ flash, memory float64 }

// loadRates returns those of the profile that lever profile left on this machine; ok is false if there is none that can be used.
func loadRates() (r rates, ok bool) {
	p, err := loadProfile("")
	if p == nil || err != nil {
		return rates{}, false
	}
	return ratesOf(p), true
}

func ratesOf(p *profile.Profile) rates {
	return rates{flash: p.Flash.Best().BytesPerSecond, memory: p.Memory}
}

// tokensPerSecond returns how many passes over so many bytes of weights the machine makes in a second, with the given memory for them, if neither computing
// nor drafts count: what is not kept in memory is read from flash meanwhile.
func (r rates) tokensPerSecond(pass, memory int64) float64 {
	kept := memory
	if pass > memory {
		kept -= weights.UsualRing(memory)
	}
	return 1 / max(float64(max(0, pass-kept))/r.flash, float64(pass)/r.memory)
}

// cost is what passes of a store would cost.
type cost struct {
	Type            string  `json:"type"`
	PassBytes       int64   `json:"pass_bytes"`
	TokensPerSecond float64 `json:"tokens_per_second,omitempty"` // of plain decoding; 0 where no profile says how fast the machine is
}

// costs returns what each type and mix would cost of the model that info describes.
func costs(info *weights.Info, memory int64) (all []cost) {
	machine, known := loadRates()
	var mixes []weights.Mix
	for _, d := range weights.EncodableTypes() {
		mixes = append(mixes, weights.Uniform(d))
	}
	for _, m := range append(mixes, weights.Mixes()...) {
		c := cost{Type: m.Name, PassBytes: info.PassBytesAs(m)}
		if known {
			c.TokensPerSecond = machine.tokensPerSecond(c.PassBytes, memory)
		}
		all = append(all, c)
	}
	return all
}

// weightMemory returns the memory that a machine is taken to have for weights: what was given, or else half of what is available, 0 if
// the system does not say.
func weightMemory(given int64) int64 {
	if given > 0 {
		return given
	}
	available, err := weights.AvailableMemory()
	if err != nil {
		return 0
	}
	return available / 2
}

// printCosts writes a table of costs.
func printCosts(out io.Writer, all []cost, memory int64) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	known := len(all) > 0 && all[0].TokensPerSecond > 0
	if known {
		fmt.Fprintf(table, "\n--type\tweights of a pass\ttokens/s with %s for them\n", cli.FormatBytes(memory))
	} else {
		fmt.Fprint(table, "\n--type\tweights of a pass\n")
	}
	for _, c := range all {
		fmt.Fprintf(table, "%s\t%s", c.Type, cli.FormatBytes(c.PassBytes))
		if known {
			fmt.Fprintf(table, "\t%.3g", c.TokensPerSecond)
		}
		fmt.Fprintln(table)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return printRateNote(out, known)
}

// printRateNote says what the tokens/s of a table are, or how to get some.
func printRateNote(out io.Writer, known bool) error {
	note := "tokens/s are those of plain decoding where reading limits it; a draft gives more"
	if !known {
		note = "lever profile measures this machine, and then this table says tokens/s, too"
	}
	_, err := fmt.Fprintln(out, note)
	return err
}
