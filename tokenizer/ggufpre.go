package tokenizer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ggufPre is what a name in tokenizer.ggml.pre stands for.
type ggufPre struct {
	patterns     []string // one after the other
	ignoreMerges bool
	addBOS       bool // where the file does not say
	nfc          bool
}

// Patterns of pre-tokenizers, as the models' tokenizer.json have them.
const (
	patternQwen35 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternTekken = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternGPT4o  = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternV3     = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
	patternCased  = `\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+`
	patternHan    = `[一-龥ࠀ-一가-퟿]+`
)

// ggufPres are the names that are known. Several stand for the same thing.
var ggufPres = func() map[string]ggufPre {
	llama3 := ggufPre{patterns: []string{patternLlama3}, ignoreMerges: true, addBOS: true}
	cl100k := ggufPre{patterns: []string{patternLlama3}}
	qwen2 := ggufPre{patterns: []string{patternQwen}, nfc: true}
	gpt2 := ggufPre{patterns: []string{patternGPT2}}
	digits := ggufPre{patterns: []string{`\p{N}`, patternGPT2}}
	gpt4o := ggufPre{patterns: []string{patternGPT4o}}
	return map[string]ggufPre{
		"llama3": llama3, "llama-v3": llama3, "llama-bpe": llama3, "falcon3": llama3, "falcon-h1": llama3, "lfm2": llama3, "pixtral": llama3,
		"dbrx": cl100k, "smaug-bpe": cl100k,
		"qwen2": qwen2, "deepseek-r1-qwen": qwen2, "megrez": qwen2, "stablelm2": {patterns: []string{patternQwen}}, "hunyuan": {patterns: []string{patternQwen}},
		"qwen35": {patterns: []string{patternQwen35}, nfc: true},
		"gpt-2":  gpt2, "gpt2": gpt2, "mpt": gpt2, "olmo": gpt2, "phi-2": gpt2, "jais": gpt2, "trillion": gpt2, "exaone4": gpt2, "mellum": gpt2,
		"granite-docling": gpt2, "gigachat": gpt2, "modern-bert": gpt2,
		"smollm": digits, "refact": digits, "starcoder": digits, "command-r": digits, "codeshell": digits, "exaone": digits, "minerva-7b": digits,
		"gpt-4o": gpt4o, "llama4": gpt4o, "kanana2": gpt4o,
		"tekken":         {patterns: []string{patternTekken}, ignoreMerges: true, addBOS: true},
		"deepseek-v3":    {patterns: []string{`\p{N}{1,3}`, `[一-龥぀-ゟ゠-ヿ]+`, patternV3}},
		"hunyuan-dense":  {patterns: []string{`\p{N}{1,3}`, `[一-龥぀-ゟ゠-ヿ]+`, patternV3}},
		"deepseek-llm":   {patterns: []string{`[\r\n]`, patternCased, `\s?[!-/:-~！-／：-～‘-‟　-。]+`, `\s+$`, patternHan, `\p{N}`}},
		"deepseek-coder": {patterns: []string{`[\r\n]`, `\s?\p{L}+`, `\s?\p{P}+`, patternHan, `\p{N}`}},
		"falcon":         {patterns: []string{"[\\p{P}$+<=>^~|`]+", patternGPT2, `[0-9][0-9][0-9]`}},
	}
}()

// preTokenizer takes over the pre-tokenizer with a name.
func (d *definition) preTokenizer(name string) (ggufPre, error) {
	pre, ok := ggufPres[name]
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(ggufPres)), ", ")
		return pre, fmt.Errorf("tokenizer.ggml.pre %q (known are %s): %w", shorten(name), known, ErrUnsupported)
	}
	d.ignoreMerges = pre.ignoreMerges
	if pre.nfc {
		d.normal = normalizer{normalize}
	}
	for _, source := range pre.patterns {
		split, err := splitterFor(source)
		if err != nil {
			return pre, fmt.Errorf("tokenizer.ggml.pre %q: %w", name, err)
		}
		d.split = append(d.split, split)
	}
	return pre, nil
}
