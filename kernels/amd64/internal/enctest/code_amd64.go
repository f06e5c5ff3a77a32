package enctest

// code returns where a sequence of instructions begins that is to be read, not to be called.
func code() *byte
