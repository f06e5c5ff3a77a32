// Package arch knows what models are: an [Architecture] recognises the configuration of its models, lists their tensors with the names that
// they have in files, and builds their decoder from parts of package layers. Each stands in a file of its own.
//
// [Parse] finds the architecture of a configuration among those of this package and those that the caller brings, which come first. Conversion,
// the engine, profiles and experiments all read configurations through it, so that they accept the same ones.
//
// # An architecture of one's own
//
// An Architecture is a value. Its Parse reads the keys of config.json from [Values] and returns a [Model]; this one is Llama's with
// another activation, say:
//
//	var mine = &arch.Architecture{
//		Name: "mine", Class: "MineForCausalLM", // model_type and architectures in config.json
//		Parse: func(v *arch.Values) (*arch.Model, error) {
//			t := v.Transformer()
//			…
//			return t.Model()
//		},
//	}
//
//	engine, err := lever.Open(ctx, lever.Config{Model: "mine-7b", Architectures: []*arch.Architecture{mine}})
//
// [Transformer] describes the usual dense models. [Model.Rename] and [Model.Fuse] say what files call their tensors where that differs from Llama's, and
// [TextPart] describes a model for images as well. What a Transformer does not say, a Model says in full: its tensors in Steps, and in Build how they
// make a decoder.
//
// # Keys of a configuration
//
// Every key of config.json is one of three:
//
//  1. read by the architecture's Parse;
//  2. known not to change what a model computes, as keys of training and of tools are: it is ignored;
//  3. anything else: an error that wraps [ErrUnsupported] and gives key and value, unless the value is null, false, 0 or empty, or a factor is 1. A
//     Parse of an architecture for which false means something else reads the key.
//
// The objects rope_scaling and rope_parameters may hold only what is understood.
//
// # Errors
//
//   - [ErrUnsupported]: a configuration asks for what is not known here; the error names the key and its value.
//
// Errors of a decoder's parts are those of package layers.
package arch
