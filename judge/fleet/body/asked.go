package body

// Asked is how often the tables of all leaves had to ask rule/weigh.
func (b *Body) Asked() (n int) {
	for _, l := range b.Leaves {
		for _, t := range l.tables {
			n += t.Asked()
		}
	}
	return n
}
