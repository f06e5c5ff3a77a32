package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/lever-go/lever/server"
)

// An error repeats no more of a request than a reader wants, however long what is wrong in it is.
func TestErrorsAreShort(t *testing.T) {
	url := start(t, server.Options{Engine: openEngine(t)})
	long := strings.Repeat("x", 100_000)
	for _, body := range []string{
		`{"%s": 1}`, `{"messages": [{"role": "%s", "content": "a"}]}`, `{"messages": [], "response_format": {"type": "%s"}}`, `{"messages": [{"role": "user", "content": [{"type": "%s"}]}]}`,
		`{"messages": [{"role": "user", "content": "a"}], "guided_json": {"properties": {"%s": {"type": "none"}}}}`, `{"messages": [{"role": "user", "content": "a"}], "guided_json": {"$ref": "#/%s"}}`,
	} {
		status, answer := post(t, url+"/v1/chat/completions", "application/json", fmt.Sprintf(body, long), nil)
		if status != http.StatusBadRequest || len(answer) > 4096 || !strings.Contains(answer, "xxxx") {
			t.Errorf("%s: %d, %d bytes: %.200s", body, status, len(answer), answer)
		}
	}
}
