// Package modelconfig reads config.json, the file in which a Hugging Face model says how it computes. It is the only reader of it, so
// that conversion, download and opening of a model accept the same ones.
//
// Every key is one of three:
//
//  1. understood, and part of [Config];
//  2. known not to change what a model computes, or unlike any that would: it is ignored;
//  3. anything else, unless its value says that it is not used: an error that wraps [ErrUnsupported] and gives key and value.
//
// The objects rope_scaling and rope_parameters may hold only what is understood.
//
//	c, err := modelconfig.Parse(text)
package modelconfig
