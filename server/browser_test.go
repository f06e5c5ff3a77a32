package server_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// chromium is a browser without a window, which takes commands of the DevTools protocol through a pipe.
type chromium struct {
	t    *testing.T
	in   io.Writer
	out  *bufio.Reader
	last int // id of a command
}

func openBrowser(t *testing.T, path string) *chromium {
	t.Helper()
	theirIn, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
		"--disable-background-networking", "--window-size=1200,800", "--user-data-dir="+t.TempDir(), "--remote-debugging-pipe")
	cmd.ExtraFiles = []*os.File{theirIn, theirOut} // descriptors 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	b := &chromium{t: t, in: in, out: bufio.NewReader(out)}
	if err := out.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.call("", "Browser.close", nil, nil)
		in.Close()
		out.Close()
		cmd.Wait() // its status says nothing about the page
	})
	return b
}

// call runs a command, in a session with a page or in none, and decodes what it gives into result.
func (b *chromium) call(session, method string, params map[string]any, result any) {
	b.t.Helper()
	b.last++
	command := map[string]any{"id": b.last, "method": method}
	if session != "" {
		command["sessionId"] = session
	}
	if params != nil {
		command["params"] = params
	}
	message, err := json.Marshal(command)
	if err == nil {
		_, err = b.in.Write(append(message, 0))
	}
	for err == nil {
		var raw []byte
		if raw, err = b.out.ReadBytes(0); err != nil {
			break
		}
		var answer struct {
			ID     int
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if err = json.Unmarshal(raw[:len(raw)-1], &answer); err != nil || answer.ID != b.last {
			continue // an event
		}
		if answer.Error != nil {
			b.t.Fatalf("%s: %s", method, answer.Error.Message)
		}
		if result != nil {
			err = json.Unmarshal(answer.Result, result)
		}
		if err == nil {
			return
		}
	}
	b.t.Fatalf("%s: %v", method, err)
}

// open opens a page and returns the session with it.
func (b *chromium) open(url string) (session string) {
	b.t.Helper()
	var target struct{ TargetID string }
	b.call("", "Target.createTarget", map[string]any{"url": url}, &target)
	var attached struct{ SessionID string }
	b.call("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	return attached.SessionID
}

// resize gives a page a screen, that of a phone or of a desk, and a scheme of colours, "light" or "dark".
func (b *chromium) resize(session string, width, height int, scheme string) {
	b.t.Helper()
	phone := width < 800
	b.call(session, "Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}, nil)
	b.call(session, "Emulation.setTouchEmulationEnabled", map[string]any{"enabled": phone}, nil)
	b.call(session, "Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]string{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// ask types a question and sends it.
func (b *chromium) ask(session, question string) {
	b.t.Helper()
	b.evaluate(session, `document.querySelector("#question").value = `+strconv.Quote(question)+`; document.querySelector("#ask").requestSubmit(); ""`)
}

// press presses a key, of those that have a name.
func (b *chromium) press(session, name string) {
	b.t.Helper()
	code := map[string]int{"Enter": 13, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40, "Tab": 9}[name]
	for _, kind := range []string{"rawKeyDown", "keyUp"} {
		b.call(session, "Input.dispatchKeyEvent", map[string]any{"type": kind, "key": name, "code": name, "windowsVirtualKeyCode": code}, nil)
	}
}

// click clicks the first button with a text, of those that no dialog is before.
func (b *chromium) click(session, text string) {
	b.t.Helper()
	if b.evaluate(session, `const b = [...(document.querySelector("dialog[open]") ?? document).querySelectorAll("button")].find((b) => b.checkVisibility() && (b.ariaLabel ?? b.textContent).startsWith(`+strconv.Quote(text)+`)); b?.click(); String(Boolean(b))`) != "true" {
		b.t.Errorf("there is no button %q", text)
	}
}

// until waits for an expression to be true.
func (b *chromium) until(session, expression string) {
	b.t.Helper()
	until(b.t, expression, func() bool { return b.evaluate(session, "try { String(Boolean("+expression+")) } catch {}") == "true" })
}

// evaluate returns the string that statements give in the page, or a promise that is their value.
func (b *chromium) evaluate(session, expression string) string {
	b.t.Helper()
	var got struct {
		Result           struct{ Value any }
		ExceptionDetails *struct {
			Exception struct{ Description string }
		}
	}
	b.call(session, "Runtime.evaluate", map[string]any{"expression": "{" + expression + "}", "returnByValue": true, "awaitPromise": true}, &got)
	if e := got.ExceptionDetails; e != nil {
		b.t.Errorf("%s: %s", expression, e.Exception.Description)
	}
	text, _ := got.Result.Value.(string)
	return text
}

// screenshot keeps a picture of the page in the folder that LEVER_SCREENSHOTS names, if it names one.
func (b *chromium) screenshot(session, name string) {
	b.t.Helper()
	dir := os.Getenv("LEVER_SCREENSHOTS")
	if dir == "" {
		return
	}
	var got struct{ Data string }
	b.call(session, "Page.captureScreenshot", nil, &got)
	picture, err := base64.StdEncoding.DecodeString(got.Data)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
