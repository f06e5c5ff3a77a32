package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/server"
)

// Vectors are those of the engine in each API and form.
func TestEmbeddings(t *testing.T) {
	engine := openEngine(t)
	url := start(t, server.Options{Engine: engine})
	var tokens [][]int32
	for _, words := range []string{"one two", "three"} {
		ids, err := engine.Encode(t.Context(), lever.Request{Prompt: words, Raw: true})
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, ids)
	}
	mean, err := engine.Embed(t.Context(), tokens, lever.PoolMean)
	if err != nil {
		t.Fatal(err)
	}
	last, err := engine.Embed(t.Context(), tokens, lever.PoolLast)
	if err != nil {
		t.Fatal(err)
	}
	ids, _ := json.Marshal(tokens)
	width := fmt.Sprint(engine.Width())
	for _, c := range []struct {
		path, body string
		want       [][]float32
	}{
		{"/v1/embeddings", `{"model": "demo", "input": ["one two", "three"]}`, mean},
		{"/v1/embeddings", `{"input": "one two", "encoding_format": "base64", "dimensions": ` + width + `}`, mean[:1]},
		{"/v1/embeddings", `{"input": ` + string(ids) + `, "pooling": "last", "user": "me"}`, last},
		{"/api/embed", `{"model": "demo:latest", "input": ["one two", "three"], "options": {"num_ctx": 2048}}`, mean},
		{"/api/embeddings", `{"model": "demo", "prompt": "one two"}`, mean[:1]},
	} {
		status, answer := post(t, url+c.path, "application/json", c.body, nil)
		var got struct {
			Data []struct {
				Index     int
				Embedding json.RawMessage
			}
			Embeddings [][]float32
			Embedding  []float32
			Usage      struct {
				Prompt int `json:"prompt_tokens"`
			}
		}
		if err := json.Unmarshal([]byte(answer), &got); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d, %v: %s", c.body, status, err, answer)
		}
		vectors := got.Embeddings
		for i, data := range got.Data {
			vector := make([]float32, engine.Width())
			err := json.Unmarshal(data.Embedding, &vector)
			if data.Embedding[0] == '"' {
				var raw []byte
				if raw, err = base64.StdEncoding.DecodeString(strings.Trim(string(data.Embedding), `"`)); err == nil {
					err = binary.Read(bytes.NewReader(raw), binary.LittleEndian, vector)
				}
			}
			if err != nil || data.Index != i {
				t.Fatalf("%s: %v, index %d", c.body, err, data.Index)
			}
			vectors = append(vectors, vector)
		}
		if got.Embedding != nil {
			vectors = append(vectors, got.Embedding)
		}
		if !slices.EqualFunc(vectors, c.want, slices.Equal[[]float32]) || got.Data != nil && got.Usage.Prompt < len(c.want) {
			t.Errorf("%s: %s", c.body, answer)
		}
	}
	long := strings.Repeat("word ", engine.Context())
	if status, answer := post(t, url+"/v1/embeddings", "application/json", fmt.Sprintf(`{"input": %q}`, long), nil); status != http.StatusBadRequest || !strings.Contains(answer, "context_length_exceeded") {
		t.Errorf("too long: %d %s", status, answer)
	}
	if status, answer := post(t, url+"/api/embed", "application/json", fmt.Sprintf(`{"input": %q, "truncate": false}`, long), nil); status != http.StatusBadRequest || !strings.Contains(answer, `"error":"text 0 has`) {
		t.Errorf("too long: %d %s", status, answer)
	}
}
