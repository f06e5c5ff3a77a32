// Package joint lets several goroutines, each of which generates a text of its own, share the passes of one or more decoders, so that weights are
// read once for all of them.
//
// A [Group] has models and members. A [Member] sees each model as a decoder of one sequence, [Decoder], whose Forward and Project wait until the
// other members have asked for something too; then one pass computes what they all asked for:
//
//	g := joint.NewGroup()
//	draft, target := g.Add(draftDecoder, joint.Options{}), g.Add(targetDecoder, joint.Options{}) // those with the shorter passes first
//	...
//	m := g.Join() // on the goroutine of each text
//	defer m.Leave()
//	generate(m.Decoder(target, targetSequence), m.Decoder(draft, draftSequence))
//
// # What waits for what
//
// A pass begins as soon as every member waits for one. Projections come first, then passes of models in the order in which they were added:
// a pass over the target comes once nobody drafts any more. A member that asks for nothing, as its caller takes time over a piece of text or its
// constraint over a mask, is not waited for longer than one pass of late took, by all others together, and not at all the next time. So what is asked for is computed after the pass under way and one more, at most, as long as
// the members' rows fit into a pass, and a member that joins or leaves does so between two passes.
//
// A chain of more rows than [Options].Piece, as a prompt is, is computed in pieces while others have rows in the same passes. Of
// several such chains each gets rows in each pass, and the shortest get half of them.
//
// # Bits
//
// Decoders compute each row by itself, so that a member gets the bits that it would get alone. Where a pass of several fails, each is
// computed alone, so that what is wrong with one reaches no other.
package joint
