package weights

// isLate reports whether a place is asked for after a later one of the same pass, which is out of the store's order. A request for an earlier
// place begins the next pass, rather than being late, if the last one was for the head, or if the place was used in this pass already. The
// caller holds the Streamer's lock.
func (r *Streamer) isLate(place int) bool {
	last := r.lastPlace
	r.lastPlace = place
	switch {
	case place >= last:
		return false
	case r.scan.segments[last].head, last >= r.scan.pass, r.visits[place] > r.passBegan:
		r.passBegan = r.visit
		return false
	}
	return true
}
