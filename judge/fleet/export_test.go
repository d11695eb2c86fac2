package fleet

// Pack drops what nobody uses, as Judge does once it is much.
func (f *Fleet) Pack() { f.pack() }

// Laid is how many pairs are remembered over which decisions lie.
func (f *Fleet) Laid() (n int) {
	for _, b := range f.bodies {
		n += len(b.over.pairs)
	}
	return n
}
