package flashsim

import (
	"math"
	"math/rand/v2"
	"slices"
)

// device simulates the reads of one flash device. Times are in seconds from its start. It has no lock and no clock: callers say
// what time it is, never an earlier one than before.
//
// Every read in service progresses at a rate that its size and the number of reads in service determine. What happens next is
// therefore known until another read arrives, which can only make the others later.
type device struct {
	profile   *Profile
	meanDelay float64
	depth     int // most reads in service
	random    *rand.Rand
	pauses    *Pauses
	hold      float64 // how long a read that is done stays in service unless it is collected

	now       float64
	service   []*deviceRead // in order of arrival
	waiting   []*deviceRead // for service, in order of arrival
	untilStop float64       // time in service until the next pause
	stopped   float64       // what is left of a pause
	credits   []float64     // head starts of the reads to come
}

// deviceRead is one read.
type deviceRead struct {
	size  float64 // bytes
	delay float64 // seconds left before the transfer
	rest  float64 // part of the transfer that is left, from 1 to 0
	done  bool
	end   float64 // when it was done
}

// maxLate bounds how late a reader may notice that its read is done and have this made good: more than a timer's inaccuracy is due to
// a shortage of processors, which would delay the readers of the real device too.
const maxLate = 2e-3

func newDevice(p *Profile, seed uint64) *device {
	d := &device{
		profile: p, meanDelay: p.meanDelay(), depth: p.Depths[len(p.Depths)-1],
		random: rand.New(rand.NewPCG(seed, 0)), pauses: p.Pauses, hold: maxLate,
	}
	d.planPause()
	return d
}

func (d *device) planPause() {
	if d.pauses != nil {
		d.untilStop = d.pauses.EverySeconds * (0.5 + d.random.Float64())
	}
}

// arrive adds a read of size bytes at the time now.
//
// A reader learns a little late that its read is done, because timers are late. To a device that is kept busy this time would be lost, so
// that the reader's next read gets it as a head start.
func (d *device) arrive(size float64, now float64) *deviceRead {
	d.advance(now)
	r := &deviceRead{size: size, rest: 1, delay: d.profile.delay(d.random.Float64())}
	d.waiting = append(d.waiting, r)
	d.admit()
	if len(d.waiting) == 0 && len(d.credits) > 0 {
		credit := d.credits[0]
		d.credits = d.credits[1:]
		n := len(d.service)
		if left := d.left(r, n); left <= credit {
			r.done, r.end = true, now-(credit-left)
		} else {
			d.progress(r, credit, n)
		}
	}
	return r
}

// collect ends the service of a read that is done. late is how much its reader lost to the clock.
func (d *device) collect(r *deviceRead, late float64) {
	if i := slices.Index(d.service, r); i >= 0 {
		d.service = slices.Delete(d.service, i, i+1)
		if len(d.credits) < d.depth {
			d.credits = append(d.credits, late)
		}
	}
}

// abandon forgets a read whatever its state.
func (d *device) abandon(r *deviceRead) {
	is := func(o *deviceRead) bool { return o == r }
	d.service = slices.DeleteFunc(d.service, is)
	d.waiting = slices.DeleteFunc(d.waiting, is)
	d.admit()
}

// admit moves waiting reads into service. Reads that are done make room.
func (d *device) admit() {
	for len(d.waiting) > 0 {
		if len(d.service) >= d.depth {
			i := slices.IndexFunc(d.service, func(r *deviceRead) bool { return r.done })
			if i < 0 {
				return
			}
			d.service = slices.Delete(d.service, i, i+1)
		}
		d.service, d.waiting = append(d.service, d.waiting[0]), d.waiting[1:]
	}
}

// transfer returns the seconds that a whole transfer takes while n reads are in service.
func (d *device) transfer(r *deviceRead, n int) float64 {
	return d.profile.readSeconds(r.size, n) - d.meanDelay
}

// left returns the seconds until r is done while n reads are in service.
func (d *device) left(r *deviceRead, n int) float64 {
	return r.delay + r.rest*d.transfer(r, n)
}

// progress serves r for less time than it has left.
func (d *device) progress(r *deviceRead, seconds float64, n int) {
	delay := min(r.delay, seconds)
	r.delay -= delay
	r.rest -= (seconds - delay) / d.transfer(r, n)
}

// advance lets time pass until now.
func (d *device) advance(now float64) {
	for d.now < now {
		d.step(now)
	}
}

// step lets time pass until something happens, or until now.
func (d *device) step(now float64) {
	if d.stopped > 0 {
		pause := min(d.stopped, now-d.now)
		d.now += pause
		d.stopped -= pause
		return
	}
	// A read that is done stays in service until its reader knows, because a reader of the real device would have the next one under
	// way by then.
	n := len(d.service)
	if n == 0 {
		d.now = now
		return
	}
	step := now - d.now
	for _, r := range d.service {
		step = min(step, d.untilEvent(r, n))
	}
	if d.pauses != nil {
		step = min(step, d.untilStop)
	}
	d.service = slices.DeleteFunc(d.service, func(r *deviceRead) bool { return d.serve(r, step, n) })
	d.now = min(d.now+step, now)
	if d.pauses != nil {
		if d.untilStop -= step; d.untilStop <= 0 {
			d.stopped = d.pauses.Seconds
			d.planPause()
		}
	}
	d.admit()
}

// untilEvent returns the seconds until r is done, or leaves service.
func (d *device) untilEvent(r *deviceRead, n int) float64 {
	if r.done {
		return max(0, r.end+d.hold-d.now)
	}
	return d.left(r, n)
}

// serve serves r for a time of at most untilEvent, and reports whether it leaves service.
func (d *device) serve(r *deviceRead, seconds float64, n int) (leaves bool) {
	event := d.untilEvent(r, n) <= seconds
	switch {
	case r.done:
		return event
	case event:
		r.done, r.end = true, d.now+seconds
		return d.hold == 0
	}
	d.progress(r, seconds, n)
	return false
}

// earliest returns the time at which r, which is not done, will be if no read arrives and no pause begins.
func (d *device) earliest(r *deviceRead) float64 {
	sim := device{profile: d.profile, meanDelay: d.meanDelay, depth: d.depth, now: d.now, stopped: d.stopped}
	var end *deviceRead
	clone := func(reads []*deviceRead) (clones []*deviceRead) {
		for _, o := range reads {
			if !o.done {
				c := *o
				clones = append(clones, &c)
			}
			if o == r {
				end = clones[len(clones)-1]
			}
		}
		return clones
	}
	sim.service, sim.waiting = clone(d.service), clone(d.waiting)
	sim.admit()
	for !end.done {
		sim.step(math.Inf(1))
	}
	return end.end
}
