package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
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

// invalid is a fault of a request; param is the field in question, or empty.
func invalid(param, code, format string, args ...any) *apiError {
	e := &apiError{status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...), Type: "invalid_request_error"}
	if param != "" {
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

// asAPIError returns the error to tell of err; what is no fault of the request is not told in detail.
func asAPIError(err error) *apiError {
	var e *apiError
	if errors.As(err, &e) {
		return e
	}
	return refused(http.StatusInternalServerError, "server_error", "", "the model failed; the server's log says how")
}

// writeError answers with an error, if nothing was written before.
func writeError(w http.ResponseWriter, err error) {
	e := asAPIError(err)
	writeJSON(w, e.status, map[string]any{"error": e})
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

// jsonError returns what is wrong with a request's body.
func jsonError(err error) error {
	var tooLarge *http.MaxBytesError
	var wrong *json.UnmarshalTypeError
	var own *apiError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &tooLarge):
		return refused(http.StatusRequestEntityTooLarge, "invalid_request_error", "request_too_large", "the request is longer than %d bytes", tooLarge.Limit)
	case errors.As(err, &wrong):
		return invalid(wrong.Field, "", "%s must be of type %s, not %s", wrong.Field, wrong.Type, wrong.Value)
	}
	return invalid("", "", "the request is not a JSON object: %s", strings.TrimPrefix(err.Error(), "json: "))
}
