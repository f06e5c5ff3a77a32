package arch

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/lever-go/lever/internal/fileerr"
)

// Values are the keys of a config.json, or of an object in it. They remember which were asked for, so that the others can be refused, and the
// first mistake: after it, what is asked for stays as it is. A key whose value is null is absent.
type Values struct {
	values map[string]json.RawMessage
	asked  map[string]bool
	err    error
}

// ask notes that a key is understood and reports whether it is there.
func (v *Values) ask(key string) bool {
	if v.asked == nil {
		v.asked = map[string]bool{}
	}
	v.asked[key] = true
	raw, ok := v.values[key]
	return ok && string(raw) != "null"
}

// Has reports whether a key is there, which is understood from then on.
func (v *Values) Has(key string) bool { return v.ask(key) }

// Err returns the first mistake.
func (v *Values) Err() error { return v.err }

// Fail notes a mistake, unless there was one before.
func (v *Values) Fail(err error) {
	if v.err == nil {
		v.err = err
	}
}

// show returns the value of a key as an error shows it.
func (v *Values) show(key string) string { return fileerr.Name(string(v.values[key])) }

// Decode reads a key into a variable, which keeps its value if the key is absent. what says in an error what the value should be.
func (v *Values) Decode(key string, into any, what string) {
	if v.ask(key) && v.err == nil && json.Unmarshal(v.values[key], into) != nil {
		v.Fail(fmt.Errorf("%s = %s is not %s", key, v.show(key), what))
	}
}

// Bool reads true or false.
func (v *Values) Bool(key string, into *bool) { v.Decode(key, into, "true or false") }

// Text reads a text.
func (v *Values) Text(key string, into *string) { v.Decode(key, into, "a text") }

// Float reads a number.
func (v *Values) Float(key string, into *float64) { v.Decode(key, into, "a number") }

// Float32 reads a number.
func (v *Values) Float32(key string, into *float32) {
	x := float64(*into)
	if v.Float(key, &x); v.Has(key) && v.err == nil {
		*into = float32(x)
	}
}

// Int reads an integer, which may be written as 64.0.
func (v *Values) Int(key string, into *int) {
	x := float64(*into)
	v.Float(key, &x)
	if v.err != nil || !v.Has(key) {
		return
	}
	if n, err := strconv.ParseInt(string(v.values[key]), 10, 0); err == nil {
		*into = int(n)
		return
	}
	if x != math.Trunc(x) || math.Abs(x) > 1<<31-1 {
		v.Fail(fmt.Errorf("%s = %s is not an integer of a size that is used", key, v.show(key)))
		return
	}
	*into = int(x)
}

// Need reads an integer that must be there.
func (v *Values) Need(key string, into *int) {
	if !v.Has(key) {
		v.Fail(errors.New(key + " is missing"))
		return
	}
	v.Int(key, into)
}

// only reads a number of which one value alone, the default, is supported.
func (v *Values) only(key string, value float64) {
	x := value
	if v.Float(key, &x); x != value {
		v.Fail(Unsupported("%s = %v", key, x))
	}
}

// repeats reads a key that says once more what another one says.
func (v *Values) repeats(key, of string, value int) {
	again := value
	if v.Int(key, &again); again != value {
		v.Fail(Unsupported("%s = %d with %s = %d", key, again, of, value))
	}
}

// isNull reports whether a key is there with the value null.
func (v *Values) isNull(key string) bool { return string(v.values[key]) == "null" }

// Default sets a key that is not there to a value, which is a number, a text, or a list or map of such.
func (v *Values) Default(key string, value any) {
	if _, ok := v.values[key]; !ok {
		v.values[key], _ = json.Marshal(value) // of numbers, which is possible
	}
}
