package fleet

// Pack drops what nobody uses, as Judge does once it is much.
func (f *Fleet) Pack() { f.pack() }
