package hexagon

import _ "embed"

//go:generate sh build.sh

//go:embed kernels.o
var object string

// Object returns the compiled kernels as a relocatable ELF file for the DSP, to be linked into what a session loads.
func Object() []byte { return []byte(object) }
