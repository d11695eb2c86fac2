// Package rest keeps who rests on what, in little room: a nation's derived cells rest
// on tens of millions of things.
package rest

import "slices"

// Notes are numbers of what something rests on, each once.
type Notes struct {
	List []int32
	set  map[int32]bool // when there are many
}

const many = 32

// Add reports whether id is new.
func (d *Notes) Add(id int32) bool {
	if d.set[id] || len(d.List) < many && slices.Contains(d.List, id) {
		return false
	}
	d.List = append(d.List, id)
	if len(d.List) == many {
		d.set = map[int32]bool{}
		for _, id := range d.List {
			d.set[id] = true
		}
	} else if len(d.List) > many {
		d.set[id] = true
	}
	return true
}

// Readers are who rests on something. Of most things that is one.
type Readers[T comparable] struct {
	one  T
	more map[T]bool
}

// Add enters one.
func (r *Readers[T]) Add(it T) {
	var none T
	switch {
	case r.one == none || r.one == it:
		r.one = it
	case r.more == nil:
		r.more = map[T]bool{it: true}
	default:
		r.more[it] = true
	}
}

// Remove takes one out. Of no Readers there is none to take out.
func (r *Readers[T]) Remove(it T) {
	if r == nil {
		return
	}
	var none T
	if r.one == it {
		r.one = none
	}
	delete(r.more, it)
}

// List is a copy: who reads it changes readers.
func (r *Readers[T]) List() (out []T) {
	if r == nil {
		return nil
	}
	var none T
	if r.one != none {
		out = append(out, r.one)
	}
	for it := range r.more {
		out = append(out, it)
	}
	return out
}
