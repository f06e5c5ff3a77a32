package tokenizer

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/nikolalohinski/gonja/v2/exec"
)

// checkShallow refuses a string or a list that is too long.
func (s *sandbox) checkShallow(v *exec.Value) error {
	const perItem = 16
	size := 0
	switch {
	case v.IsString():
		size = v.Val.Len()
	case v.IsList():
		size = perItem * v.Len()
	}
	if size > s.limit {
		return fmt.Errorf("a value of more than %d bytes", s.limit)
	}
	return s.step()
}

// checkDeep refuses a value that is too large with all that it contains, each as often as it occurs, or too deep.
func (s *sandbox) checkDeep(value any) error {
	left := s.limit
	return weigh(reflect.ValueOf(value), &left, 0)
}

var (
	valueType     = reflect.TypeFor[exec.Value]()
	dictType      = reflect.TypeFor[exec.Dict]()
	pairType      = reflect.TypeFor[exec.Pair]()
	namespaceType = reflect.TypeFor[map[string]any]()
)

// weigh subtracts the size of v from left.
func weigh(v reflect.Value, left *int, depth int) error {
	const perValue = 16
	*left -= perValue
	if *left < 0 || depth > 4*maxDepth {
		return errors.New("a value too large or too deep")
	}
	switch v.Kind() {
	case reflect.String:
		*left -= v.Len()
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() && (v.Kind() == reflect.Interface || isValueType(v.Type().Elem())) {
			return weigh(v.Elem(), left, depth+1)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := weigh(v.Index(i), left, depth+1); err != nil {
				return err
			}
		}
	case reflect.Map:
		if v.Type() == namespaceType {
			return errors.New("a namespace within another value")
		}
	case reflect.Struct:
		switch v.Type() {
		case valueType:
			return weigh(v.Interface().(exec.Value).Val, left, depth+1)
		case dictType:
			return weigh(v.FieldByName("Pairs"), left, depth+1)
		case pairType:
			if err := weigh(v.FieldByName("Key"), left, depth+1); err != nil {
				return err
			}
			return weigh(v.FieldByName("Value"), left, depth+1)
		}
	}
	if *left < 0 {
		return errors.New("a value too large")
	}
	return nil
}

func isValueType(t reflect.Type) bool { return t == valueType || t == dictType || t == pairType }
