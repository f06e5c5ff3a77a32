package gguf

import (
	"fmt"

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

// tensorTypes maps the numbers of the format to element types.
var tensorTypes = map[uint32]tensor.DType{
	0: tensor.F32, 1: tensor.F16, 2: tensor.Q4_0, 3: tensor.Q4_1, 6: tensor.Q5_0, 7: tensor.Q5_1, 8: tensor.Q8_0, 12: tensor.Q4_K, 13: tensor.Q5_K, 14: tensor.Q6_K,
	24: tensor.I8, 26: tensor.I32, 27: tensor.I64, 28: tensor.F64, 30: tensor.BF16,
}

// foreignTypes names the types that exist but cannot be imported, so that an error speaks the user's language.
var foreignTypes = map[uint32]string{
	9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS",
	19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 25: "I16", 29: "IQ1_M",
	34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}

func tensorTypeNumber(d tensor.DType) (uint32, bool) {
	for number, t := range tensorTypes {
		if t == d {
			return number, true
		}
	}
	return 0, false
}

func foreignTypeName(number uint32) string {
	if name, ok := foreignTypes[number]; ok {
		return fmt.Sprintf("type %s", name)
	}
	return fmt.Sprintf("unknown type %d", number)
}

func alignUp(n, alignment int64) int64 { return (n + alignment - 1) / alignment * alignment }
