package grammar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// Form is a set of texts that is put together of others, such as a call of a function: fixed words around values of a schema. Forms that contain
// each other's results do not change and may be used again.
type Form struct{ write writer }

// writer takes a text of a form from a node on.
type writer func(f *former, from int32) (to int32, err error)

// former makes the rules of a form.
type former struct {
	*builder
	wide bool // a choice of many was merged
}

// Literal is the form of one text. A text that no other may be taken for, such as the name of a control token, may begin with the byte 0xFF; see [NewVocabulary].
func Literal(text string) Form {
	return Form{func(f *former, from int32) (int32, error) { return f.text(from, text), nil }}
}

// Value is the form of the JSON values of a schema, as [Vocabulary.JSONSchema] writes them.
func Value(schema []byte) Form {
	return Form{func(f *former, from int32) (int32, error) {
		start, err := f.value(schema)
		if err != nil {
			return 0, err
		}
		to := f.node()
		f.call(from, start, to)
		return to, nil
	}}
}

// Sequence is one text of each form, one after the other.
func Sequence(parts ...Form) Form {
	return Form{func(f *former, from int32) (to int32, err error) {
		for _, part := range parts {
			if from, err = part.write(f, from); err != nil {
				return 0, err
			}
		}
		return from, nil
	}}
}

// Choice is a text of one of some forms.
func Choice(of ...Form) Form {
	return Form{func(f *former, from int32) (int32, error) {
		to := f.node()
		for _, form := range of {
			end, err := form.write(f, from)
			if err != nil {
				return 0, err
			}
			f.skip(end, to)
		}
		return to, nil
	}}
}

// List is one text of a form or more, with a separator between them, which is not empty.
func List(of Form, separator string) Form {
	return Form{func(f *former, from int32) (int32, error) {
		first := f.node()
		f.skip(from, first)
		to, err := of.write(f, first)
		if err == nil {
			f.literal(to, separator, first)
		}
		return to, err
	}}
}

// value makes the rules of a schema and returns the first.
func (f *former) value(schema []byte) (start int32, err error) {
	c, root, err := newCompiler(f.builder, schema)
	if err != nil {
		return 0, err
	}
	if start, err = c.compile(root); err != nil {
		return 0, fmt.Errorf("grammar: schema: %w", err)
	}
	f.wide = f.wide || len(c.wide) > 0
	return start, nil
}

// Grammar returns the grammar of a form. Its errors are those of [Vocabulary.JSONSchema].
func (v *Vocabulary) Grammar(ctx context.Context, form Form) (*Grammar, error) {
	f := &former{builder: newBuilder(oneLine, newWork(ctx, compileSteps))}
	start := f.node()
	end, err := form.write(f, start)
	if err != nil {
		return nil, cmp.Or(f.work.err, err)
	}
	f.end(end)
	return v.finish(f.graph, start, f.wide, func() error { return errors.New("grammar: the form has no text that ends") })
}
