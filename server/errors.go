package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/lever-go/lever/internal/fileerr"
)

// apiError is an error as OpenAI's API tells it.
type apiError struct {
	status  int
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

func (e *apiError) Error() string { return e.Message }

// invalid is a fault of a request; param is the field in question, or empty. What it repeats of a request is cut at a readable length.
func invalid(param, code, format string, args ...any) *apiError {
	e := &apiError{status: http.StatusBadRequest, Message: fileerr.Text(fmt.Sprintf(format, args...)), Type: "invalid_request_error"}
	if param != "" {
		param = fileerr.Name(param)
		e.Param = &param
	}
	if code != "" {
		e.Code = &code
	}
	return e
}

// refused is another reason not to answer.
func refused(status int, kind, code, format string, args ...any) *apiError {
	e := invalid("", code, format, args...)
	e.status, e.Type = status, kind
	return e
}

// unsupported is a field that this server can't honour.
func unsupported(param string) *apiError {
	return invalid(param, "unsupported_parameter", "%s is not supported by this server", param)
}

// refuse answers a request with an error, in the form of the API that its path belongs to.
func refuse(w http.ResponseWriter, r *http.Request, e *apiError) {
	refusal := openAIRefusal
	switch {
	case strings.HasPrefix(r.URL.Path, "/v1/messages"):
		refusal = anthropicRefusal
	case strings.HasPrefix(r.URL.Path, "/api/"):
		refusal = ollamaRefusal
	}
	writeJSON(w, e.status, refusal(e))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(body, '\n')) // a client that is gone needs no answer
}
