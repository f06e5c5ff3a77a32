// Package grammar restricts generated text to JSON, of any shape or of a JSON Schema's.
//
// It is a package of its own because it knows text and tokens but no models: package spec asks it, through an interface of its
// own, which tokens may follow.
//
//  1. [Vocabulary] is what the tokens of a model spell, as a trie. It is made once for a tokenizer.
//  2. [Grammar] is a pushdown automaton over bytes, from [Vocabulary.JSON], [Vocabulary.JSONSchema], or [Vocabulary.Grammar] of a [Form], which puts fixed
//     words around values, or writes the members of an object as [Parameters] say. It may be used by many generations.
//  3. [Matcher] follows one generation: [Matcher.Allowed] is the mask of the tokens that may come next, [Matcher.Next] what
//     comes after one. Its states are numbers that stay valid, so a tree of tokens can be followed along all branches.
//
// A mask is put together from parts: for each node of the automaton, once, the tokens that stay within the rule of that node,
// or end with it; and anew for each mask the few that go on beyond, which depend on where the rule goes back to. (The idea is
// that of Dong et al., "XGrammar: Flexible and Efficient Structured Generation Engine for Large Language Models", 2024, arXiv
// 2411.15100.) Within a string most tokens can follow, those of so many plain characters as still fit: they are masks of the
// vocabulary, by the number of characters, and only the others are looked at. Large sets of a pattern, such as \p{L}, get such masks too,
// when the grammar is compiled.
//
// Usage:
//
//	vocabulary, err := grammar.NewVocabulary(tok.Size(), spell, tok.EOS())
//	g, err := vocabulary.JSONSchema(ctx, []byte(`{"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}`))
//	m := g.Matcher(ctx)
//	state := 0
//	for { // sample token from the logits of the tokens in m.Allowed(state)
//		state = m.Next(state, token)
//	}
//
// Of JSON Schema it knows:
//
//   - for all values: type (also a list), enum, const, anyOf, oneOf, allOf, $ref within the document, true and false;
//   - numbers: minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf;
//   - strings: minLength, maxLength, pattern;
//   - arrays: items, prefixItems, minItems, maxItems, and uniqueItems if the items are at most 8 listed values;
//   - objects: properties, required, additionalProperties, patternProperties, propertyNames, minProperties, maxProperties.
//
// Keywords may stand beside each other and beside $ref, and schemas of allOf are merged. Values that enum or const list are checked against the
// rest. Of older drafts and OpenAPI it knows definitions, a list in items, additionalItems, exclusiveMinimum as true or false, and nullable. $ref
// may be a JSON pointer, an $anchor or an $id within the document, and may lead back to where it stands.
//
// The branches of oneOf must exclude each other: by their types, their ranges, their listed values, or a property that one requires and of which
// the other one has other values or which it does not allow.
//
// It also knows dependentRequired, dependentSchemas and dependencies; not, of types or listed strings; and unevaluatedProperties and
// unevaluatedItems where all that they mean is in the same schema. Refused with [ErrUnsupported] and their name, unless they say nothing or values are
// listed, are any other not, if, contains and $dynamicRef. All other names are annotations, such as title, description, default and discriminator,
// and are ignored. So is format, but for date, time, date-time, duration, email, uri, ipv4 and uuid in a schema without pattern.
//
// What is generated satisfies the schema, but not all that would is generated:
//
//   - values are written in one line, with ", " and ": ";
//   - properties come in the order of the schema, each at most once; others than those listed only if additionalProperties
//     says so, and items beyond prefixItems only if items does;
//   - where no type is named, values are of the types that the other keywords are about;
//   - numbers have at most 15 digits before and after the point, and 2 in the exponent; with a bound no exponent, and 15 digits in
//     all if they have a point;
//   - of a number that is an integer, the form with a fraction is left out;
//   - strings, arrays and objects with a limit have at most 4096 characters, items or members;
//   - a name matches at most one of patternProperties;
//   - in a string with a pattern, characters are escaped only where they must be.
//
// A pattern is one of ECMA-262 and need match only a part of the string, unless it has ^ and $. It may have sets, classes such as \d and
// \p{L}, groups, alternatives and repetitions, greedy or not, and look-aheads, (?=a) and (?!a), anywhere; look-behinds,
// (?<=a) and (?<!a), word boundaries, back-references and flags are refused, in patternProperties too.
//
// Limits: minLength, minItems, minProperties and the counts of patterns up to 4096, and patterns that become about 100,000 states, with which minLength and maxLength multiply.
//
// # Work and memory
//
// Compiling a schema of at most 1 MB, and each question to a matcher, take a bounded number of steps, some nanoseconds each. Large schemas of the
// usual kinds compile within it, in time that grows as they do: 20,000 properties, 3,000 definitions, a list of 50,000 values, anyOf and oneOf of
// 10,000 constants, or a text of 1 MB. The bound of a mask is that of a walk over a third of all tokens. A schema that would take more is refused; where that shows only in
// the middle of a text, a mask may take a quarter more, and beyond that the matcher ends with an error. Both let other goroutines go first now and then. [Grammar.Size] tells the memory
// of a grammar.
//
// # Errors
//
//   - [ErrUnsupported]: a schema uses a keyword, or a value, that is not known here. The text says where in the schema.
//   - [ErrTooLarge]: a schema would take too much work or memory.
//   - The context's error, when it is done.
package grammar
