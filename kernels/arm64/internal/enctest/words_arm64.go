package enctest

// words is a sequence of instructions to be read, not to be called.
func words()
