// Package grammar restricts generated text to JSON, of any shape or of a JSON Schema's.
//
// It is a room of its own because it knows text and tokens but no models: package spec asks it, through an interface of its
// own, which tokens may follow.
//
//  1. [Vocabulary] is what the tokens of a model spell, as a trie. It is made once for a tokenizer.
//  2. [Grammar] is a pushdown automaton over bytes, from [Vocabulary.JSON] or [Vocabulary.JSONSchema]. It may be used by many
//     generations.
//  3. [Matcher] follows one generation: [Matcher.Allowed] is the mask of the tokens that may come next, [Matcher.Next] what
//     comes after one. Its states are numbers that stay valid, so a tree of tokens can be followed along all branches.
//
// A mask is put together from parts: for each node of the automaton, once, the tokens that stay within the rule of that node,
// or end with it; and anew for each mask the few that go on beyond, which depend on where the rule goes back to. (The idea is
// that of Dong et al., "XGrammar: Flexible and Efficient Structured Generation Engine for Large Language Models", 2024, arXiv
// 2411.15100.) Within a string most tokens can follow, those of so many plain characters as still fit: they are masks of the
// vocabulary, by the number of characters, and only the others are looked at. Large sets of a pattern, such as \p{L}, get such masks too,
// when they are first met; they belong to the grammar.
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
// Of JSON Schema it knows type (also a list), properties, required, additionalProperties, enum, const, items, minItems, maxItems,
// minLength, maxLength, pattern, anyOf, $ref within the document, and true; it ignores what only describes, such as title, description,
// default and format. All else is refused with [ErrUnsupported], and the keyword. What is generated satisfies the schema, but
// not all that would is generated:
//
//   - values are written in one line, with ", " and ": ";
//   - properties come in the order of the schema, each at most once; others than those listed only if additionalProperties
//     says so;
//   - numbers have at most 15 digits before and after the point, and 2 in the exponent;
//   - of a number that is an integer, the form with a fraction is left out;
//   - in a string with a pattern, characters are escaped only where they must be.
//
// A pattern is one of ECMA-262 and need match only a part of the string, unless it has ^ and $. It may have sets, classes such as \d and
// \p{L}, groups, alternatives and repetitions, greedy or not; look-around, word boundaries, back-references and flags are refused.
//
// Limits: counts up to 4096, and patterns that become about 250,000 states, with which minLength and maxLength multiply.
//
// # Errors
//
// [ErrUnsupported] is the only one: a schema uses a keyword, or a value, that is not known here. The text says where in the schema.
package grammar
