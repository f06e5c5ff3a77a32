package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lever-go/lever/server"
)

// loadQuestion is a request with the answer that it gets when it is alone.
type loadQuestion struct{ path, body, streamed, answer string }

// Fifty clients at once over four conversations, among them such as read slowly, leave early, send too much, or nonsense: what is accepted is answered as
// if it came alone, and afterwards nothing is left of them. LEVER_LOAD=10m makes it last longer.
func TestLoad(t *testing.T) {
	length := 2 * time.Second
	if text := os.Getenv("LEVER_LOAD"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	const clients = 50
	url := start(t, server.Options{Engine: openParallel(t, 4), Waiting: 24, MaxBody: 64 << 10, ReadTime: 2 * time.Second, WriteTime: 2 * time.Second})
	web := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	var questions []loadQuestion
	for i, text := range []string{"Tom has 3 apples.", "def add(a, b):", "Why?", "func main() {"} {
		limits := fmt.Sprintf(`"max_tokens": %d, "temperature": %g, "seed": %d`, 4+3*i, 0.5*float64(i%3), i)
		questions = append(questions,
			loadQuestion{path: "/v1/chat/completions", body: fmt.Sprintf(`{"messages": [{"role": "user", "content": %q}], %s`, text, limits)},
			loadQuestion{path: "/v1/completions", body: fmt.Sprintf(`{"prompt": %q, %s`, text, limits)})
	}
	questions = append(questions, loadQuestion{path: "/v1/chat/completions", body: `{"max_tokens": 40, "messages": [{"role": "user", "content": "4 + 5"}],
		"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "required": ["sum"], "properties": {"sum": {"type": "integer"}}}}}`})
	for i := range questions {
		q := &questions[i]
		q.streamed, q.body = q.body+`, "stream": true}`, q.body+"}"
		status, answer := ask(t, web, url+q.path, q.body)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", q.body, status, answer)
		}
		q.answer = answer
	}
	web.CloseIdleConnections()
	before := resources()
	peak := int64(0)

	var busy, refused, left, dropped atomic.Int64
	var mu sync.Mutex
	var waits []time.Duration // of those that were answered, from the request to the end of the answer
	end := time.Now().Add(length)
	var wait sync.WaitGroup
	for c := range clients {
		random := rand.New(rand.NewPCG(uint64(c), 1))
		wait.Go(func() {
			for time.Now().Before(end) {
				q := questions[random.IntN(len(questions))]
				switch kind := random.IntN(10); {
				case kind < 5: // a decent client
					body := q.body
					if kind < 2 {
						body = q.streamed
					}
					asked := time.Now()
					switch status, answer := ask(t, web, url+q.path, body); {
					case status == http.StatusOK && answer == q.answer:
						mu.Lock()
						waits = append(waits, time.Since(asked))
						mu.Unlock()
					case status == http.StatusTooManyRequests:
						busy.Add(1)
						time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
					default:
						t.Errorf("%s: %d %q, want %q", body, status, answer, q.answer)
					}
				case kind == 5: // reads a byte now and then
					if n := trickle(t, url, q, random); n > 0 {
						dropped.Add(1)
					}
				case kind < 8: // leaves
					leave(t, url, q, random)
					left.Add(1)
				case kind == 8: // sends too much
					if status, _ := ask(t, web, url+q.path, `{"prompt": "`+strings.Repeat("a", 100<<10)+`"}`); status == http.StatusRequestEntityTooLarge {
						refused.Add(1)
					} else {
						t.Errorf("too much: %d", status)
					}
				default: // sends nonsense
					body := q.body[:random.IntN(len(q.body))]
					if status, _ := ask(t, web, url+q.path, body); status == http.StatusBadRequest {
						refused.Add(1)
					} else {
						t.Errorf("%s: %d", body, status)
					}
				}
			}
		})
	}
	stop := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
				peak = max(peak, resources().memory)
			}
		}
	}()
	wait.Wait()
	close(stop)
	<-watched
	until(t, "no request is open", func() bool { return strings.Contains(fetch(t, url+"/metrics"), "\nlever_requests_open 0\n") })
	web.CloseIdleConnections()
	http.DefaultClient.CloseIdleConnections()
	after := resources()
	until(t, "nothing is left of the clients", func() bool {
		after = resources()
		return after.goroutines <= before.goroutines+2 && after.files <= before.files+2
	})
	if len(waits) == 0 {
		t.Fatal("nobody was answered")
	}
	slices.Sort(waits)
	t.Logf("%v: %d answered, half of them within %v, 99 %% within %v, all within %v; %d told to come back, %d refused, %d left, %d read slowly; goroutines %d → %d, files %d → %d, memory %d → %d MiB, at most %d",
		length, len(waits), waits[len(waits)/2], waits[len(waits)*99/100], waits[len(waits)-1], busy.Load(), refused.Load(), left.Load(), dropped.Load(), before.goroutines, after.goroutines, before.files, after.files,
		before.memory>>20, after.memory>>20, peak>>20)
	if after.memory > before.memory+64<<20 || peak > before.memory+64<<20 {
		t.Errorf("memory went from %d to %d MiB, and up to %d", before.memory>>20, after.memory>>20, peak>>20)
	}
}

// usage is what the process holds.
type usage struct {
	goroutines, files int
	memory            int64 // bytes of the heap in use, and of stacks
}

func resources() usage {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, _ := os.ReadDir("/proc/self/fd") // nothing where there is no such directory
	return usage{runtime.NumGoroutine(), len(files), int64(m.HeapInuse + m.StackInuse)}
}

// ask sends a request and returns the text of the answer, of all parts together if it is streamed.
func ask(t *testing.T, web *http.Client, url, body string) (status int, text string) {
	response, err := web.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		// A server that does not read all of a request closes the connection, which may overtake its answer.
		if len(body) > 64<<10 {
			return http.StatusRequestEntityTooLarge, ""
		}
		t.Errorf("%v", err)
		return 0, ""
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Errorf("%v", err)
		return 0, ""
	}
	type words struct{ Content string }
	var all strings.Builder
	for part := range bytes.SplitSeq(raw, []byte("\n\n")) {
		var answer struct {
			Choices []struct {
				Message, Delta words
				Text           string
			}
		}
		part = bytes.TrimPrefix(part, []byte("data: "))
		if len(part) > 0 && part[0] == '{' && json.Unmarshal(part, &answer) == nil {
			for _, c := range answer.Choices {
				all.WriteString(c.Message.Content + c.Delta.Content + c.Text)
			}
		}
	}
	return response.StatusCode, all.String()
}

// send opens a connection of its own and sends a streamed request.
func send(t *testing.T, url string, q loadQuestion) net.Conn {
	return sendPart(t, url, q, len(q.streamed))
}

// sendPart sends a part of a request's body.
func sendPart(t *testing.T, url string, q loadQuestion, n int) net.Conn {
	address := strings.TrimPrefix(url, "http://")
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Errorf("%v", err)
		return nil
	}
	fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", q.path, address, len(q.streamed), q.streamed[:n])
	return connection
}

// leave sends a request, or a part of one, and goes.
func leave(t *testing.T, url string, q loadQuestion, random *rand.Rand) {
	if random.IntN(2) == 0 {
		q.streamed = q.streamed[:len(q.streamed)-1] + strings.Repeat(" ", random.IntN(50))
	}
	if connection := send(t, url, q); connection != nil {
		time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
		connection.Close()
	}
}

// trickle sends a request and reads a byte now and then, and returns how many.
func trickle(t *testing.T, url string, q loadQuestion, random *rand.Rand) (n int) {
	connection := send(t, url, q)
	if connection == nil {
		return 0
	}
	defer connection.Close()
	if err := connection.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Error(err)
	}
	for one := make([]byte, 1); n < 30; n++ {
		if _, err := connection.Read(one); err != nil {
			break
		}
		time.Sleep(time.Duration(random.IntN(40)) * time.Millisecond)
	}
	return n
}
