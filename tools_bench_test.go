package lever_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/lever-go/lever"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/sampling"
	"github.com/lever-go/lever/toolcall"
)

// randomTool returns a tool with some arguments of some kinds.
func randomTool(r *rand.Rand) toolcall.Tool {
	names := []string{"city", "street", "count", "unit", "tags", "date", "note", "price", "urgent"}
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	properties, required := map[string]any{}, names[:2+r.IntN(4)]
	for _, name := range required {
		properties[name] = []map[string]any{
			{"type": "boolean"}, {"type": "integer", "minimum": 0, "maximum": 999}, {"enum": []string{"celsius", "fahrenheit", "kelvin"}},
			{"type": "string", "maxLength": 16}, {"type": "array", "items": map[string]any{"enum": []string{"red", "green"}}, "maxItems": 3},
			{"type": "string", "pattern": "^20[0-9]{2}-[01][0-9]-[0-3][0-9]$"},
		}[r.IntN(6)]
	}
	raw, err := json.Marshal(map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false})
	if err != nil {
		panic(err) // there is no such value
	}
	return toolcall.Tool{Name: "find_" + names[0], Parameters: raw, Strict: true}
}

// randomRequest returns a request for a call of a random tool, every other one sampled.
func randomRequest(r *rand.Rand, i int) lever.Request {
	return lever.Request{
		Prompt: "Find it for Tom, please.", MaxTokens: 300, Tools: []toolcall.Tool{randomTool(r)}, ToolChoice: toolcall.Choice{Required: true, Single: true},
		Sampling: sampling.Options{Temperature: 0.7 * float32(i%2), Seed: uint64(i)},
	}
}

// tools returns how many random tools there are to be: LEVER_TOOLS, or else some.
func tools(some int) int {
	if n, err := strconv.Atoi(os.Getenv("LEVER_TOOLS")); err == nil {
		return n
	}
	return some
}

// Calls in each syntax are those of plain decoding, and their arguments satisfy the schema, as another implementation sees it. LEVER_TOOLS is how many tools
// there are.
func TestSyntaxesInTrees(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, template := range toolTemplates {
		e, err := lever.Open(t.Context(), lever.Config{Model: pair.Target, Draft: pair.Draft, Context: 1024, ChatTemplate: template})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close() })
		r := rand.New(rand.NewPCG(5, uint64(len(name))))
		tokens, passes, plainPasses := 0, 0, 0
		for i := range tools(1) {
			request := randomRequest(r, i+len(name))
			got, err := e.Generate(t.Context(), request, nil)
			if err != nil || len(got.ToolCalls) != 1 {
				t.Fatalf("%s: %v, %+v", name, err, got)
			}
			if err := satisfies(request.Tools[0].Parameters, got.ToolCalls[0].Arguments); err != nil {
				t.Errorf("%s: %s: %v", name, got.ToolCalls[0].Arguments, err)
			}
			tokens, passes = tokens+got.Tokens, passes+got.Passes
			request.Policy = spec.None{}
			plain, err := e.Generate(t.Context(), request, nil)
			if plainPasses += plain.Passes; err != nil || !slices.Equal(got.TokenIDs, plain.TokenIDs) {
				t.Errorf("%s: %v, %v\nwant %v", name, err, got.TokenIDs, plain.TokenIDs)
			}
		}
		t.Logf("%s: %d tokens in %d passes, by plain decoding in %d", name, tokens, passes, plainPasses)
	}
}

// satisfies tells why arguments do not satisfy a schema.
func satisfies(schema, arguments []byte) error {
	var s jsonschema.Schema
	if err := json.Unmarshal(schema, &s); err != nil {
		return err
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		return err
	}
	var value any
	if err := json.Unmarshal(arguments, &value); err != nil {
		return err
	}
	return resolved.Validate(value)
}

// BenchmarkToolCalls has calls of random tools written in each syntax by the demo pair, whose target is read at the speed of a phone's flash as if it
// were so much larger that reading takes all the time. The calls are the same with each policy.
func BenchmarkToolCalls(b *testing.B) {
	profile, err := flashsim.Load("ufs-3.1")
	if err != nil {
		b.Fatal(err)
	}
	pair, err := demo.Unpack(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	tools := tools(40)
	for syntax, template := range toolTemplates {
		calls := make([][]int32, tools)
		for _, policy := range []string{"none", "lever"} {
			b.Run(fmt.Sprintf("syntax=%s/policy=%s", syntax, policy), func(b *testing.B) {
				throttle, err := flashsim.NewThrottle(profile, flashsim.Options{Scale: 40})
				if err != nil {
					b.Fatal(err)
				}
				config := lever.Config{Model: pair.Target, Draft: pair.Draft, DRAM: 4 << 20, OpenFile: throttle.Opener(nil), Context: 1024, ChatTemplate: template}
				if policy == "none" {
					config.Draft, config.NewPolicy = "", func(*lever.Engine) (spec.Policy, error) { return spec.None{}, nil }
				}
				e, err := lever.Open(b.Context(), config)
				if err != nil {
					b.Fatal(err)
				}
				defer e.Close()
				tokens, passes, seconds := 0, 0, 0.0
				for b.Loop() {
					r := rand.New(rand.NewPCG(1, 2))
					for i := range tools {
						request := randomRequest(r, i)
						tool := request.Tools[0]
						got, err := e.Generate(b.Context(), request, nil)
						if err != nil || len(got.ToolCalls) != 1 || !json.Valid(got.ToolCalls[0].Arguments) {
							b.Fatalf("%s: %v, %q, %+v", tool.Parameters, err, got.Text, got.ToolCalls)
						}
						if calls[i] != nil && !slices.Equal(calls[i], got.TokenIDs) {
							b.Fatalf("%s: another call than before: %s", tool.Parameters, got.ToolCalls[0].Arguments)
						}
						calls[i] = got.TokenIDs
						tokens, passes, seconds = tokens+got.Tokens, passes+got.Passes, seconds+got.Seconds
					}
				}
				b.ReportMetric(float64(tokens)/seconds, "tok/s")
				b.ReportMetric(float64(tokens)/float64(passes), "tok/pass")
				b.ReportMetric(throttle.Stats().ReadTime.Seconds()/b.Elapsed().Seconds(), "reading")
			})
		}
	}
}
