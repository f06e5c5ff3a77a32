package tokenizer

import (
	"fmt"
	"strings"
)

// byteRunes maps each byte to the printable character that stands for it in byte-level vocabularies: printable Latin-1
// characters stand for themselves, the other bytes for U+0100 onwards, in order (GPT-2).
var byteRunes = func() (table [256]rune) {
	next := rune(256)
	for b := range table {
		r := rune(b)
		if '!' <= r && r <= '~' || '¡' <= r && r <= '¬' || '®' <= r && r <= 'ÿ' {
			table[b] = r
			continue
		}
		table[b] = next
		next++
	}
	return table
}()

// runeBytes is the inverse of byteRunes: the byte plus one, 0 for a character that stands for none.
var runeBytes = func() (table [256 + 68]uint16) {
	for b, r := range byteRunes {
		table[r] = uint16(b) + 1
	}
	return table
}()

// fromByteLevel returns the bytes that a token's characters stand for. A token with a character that stands for no byte is
// taken literally, as Hugging Face's decoder does.
func fromByteLevel(token string) string {
	raw := make([]byte, 0, len(token))
	for _, r := range token {
		if int(r) >= len(runeBytes) || runeBytes[r] == 0 {
			return token
		}
		raw = append(raw, byte(runeBytes[r]-1))
	}
	return string(raw)
}

// mergeTable makes the table of merges from rules, each two byte-level tokens of which the first in the list merges first.
func mergeTable(rules [][2]string, id func(token string) (int32, bool)) (map[uint64]merge, error) {
	table := make(map[uint64]merge, len(rules))
	for rank, rule := range rules {
		left, okLeft := id(rule[0])
		right, okRight := id(rule[1])
		to, ok := id(rule[0] + rule[1])
		if !ok || !okLeft || !okRight {
			return nil, fmt.Errorf("merge %d (%q and %q): not all of the parts and the result are tokens: %w",
				rank, shorten(rule[0]), shorten(rule[1]), ErrInvalid)
		}
		key := pairKey(left, right)
		if _, again := table[key]; !again {
			table[key] = merge{rank: int32(rank), id: to}
		}
	}
	return table, nil
}

// cutMerge splits a merge written as "a b".
func cutMerge(rank int, s string) ([2]string, error) {
	left, right, ok := strings.Cut(s, " ")
	if !ok || left == "" || right == "" || strings.Contains(right, " ") {
		return [2]string{}, fmt.Errorf("merge %d: %q is not two tokens: %w", rank, shorten(s), ErrInvalid)
	}
	return [2]string{left, right}, nil
}

// maxErrorText is the most bytes of a text from a file that an error has.
const maxErrorText = 300

// shorten cuts what an error quotes from a file.
func shorten(s string) string {
	if len(s) > maxErrorText {
		return strings.ToValidUTF8(s[:maxErrorText], "") + "…"
	}
	return s
}
