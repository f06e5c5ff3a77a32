package bench

// How many times as fast as others Lever is in the paper (arXiv 2605.16786), over 48 configurations: goals for what is measured here.
const (
	PaperOverPlain = 2.93 // plain decoding from flash
	PaperOverChain = 1.50 // drafting a chain of tokens
)
