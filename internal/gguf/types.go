package gguf

import (
	"fmt"
	"strings"

	"github.com/lever-go/lever/tensor"
)

const (
	magic            = "GGUF"
	alignmentKey     = "general.alignment"
	defaultAlignment = 32
	maxAlignment     = 1 << 20
	maxDims          = 4
	maxArrayDepth    = 4
)

// valueType is the type tag of a metadata value.
type valueType uint32

const (
	typeUint8 valueType = iota
	typeInt8
	typeUint16
	typeInt16
	typeUint32
	typeInt32
	typeFloat32
	typeBool
	typeString
	typeArray
	typeUint64
	typeInt64
	typeFloat64
)

// typeNames holds the numbers and names of the format's tensor types, those that package tensor knows and those that it does not.
var typeNames = map[uint32]string{
	0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K",
	14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS",
	24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 30: "BF16", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8", 34: "TQ1_0", 35: "TQ2_0",
	36: "IQ4_NL_4_4", 37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8", 39: "MXFP4", 40: "NVFP4", 41: "Q1_0", 42: "Q2_0",
}

// firstOfFork is the first number of the types that ik_llama.cpp has added.
const firstOfFork = 97

const takeOther = "take a file of the model in another type, such as Q4_K_M"

// tensorType returns the element type of a number. The error says its name, so that it speaks the user's language.
func tensorType(number uint32) (tensor.DType, error) {
	if _, ok := interleavings[number]; ok {
		return tensor.Q4_0, nil
	}
	if number >= firstOfFork && number < 1<<10 {
		return tensor.Invalid, fmt.Errorf("type %d, which llama.cpp does not have, but forks such as ik_llama.cpp may; %s", number, takeOther)
	}
	name, ok := typeNames[number]
	if !ok {
		return tensor.Invalid, fmt.Errorf("unknown type %d", number)
	}
	d, err := tensor.ParseDType(name)
	if err != nil {
		return tensor.Invalid, fmt.Errorf("type %s; %s", name, takeOther)
	}
	return d, nil
}

// tensorTypeNumber is the inverse of tensorType.
func tensorTypeNumber(d tensor.DType) (uint32, bool) {
	for number, name := range typeNames {
		if strings.EqualFold(name, d.String()) {
			return number, true
		}
	}
	return 0, false
}

func alignUp(n, alignment int64) int64 { return (n + alignment - 1) / alignment * alignment }
