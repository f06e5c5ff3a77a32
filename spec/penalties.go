package spec

// penalise changes the logits of the tokens that may follow a node by the text up to it: the sequence, and the path from the root down.
func (t *Tree) penalise(node int, logits []float32) {
	if t.history == nil {
		return
	}
	t.follow(node)
	t.history.Apply(logits)
	for range t.depths[node] {
		t.history.Pop()
	}
}

// follow adds the tokens between the root and a node, and its own, to the history.
func (t *Tree) follow(node int) {
	if node > 0 {
		t.follow(int(t.parents[node]))
		t.history.Push(t.tokens[node])
	}
}
