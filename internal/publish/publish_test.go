package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// asChild names the variable that makes the test binary write until it is killed.
const asChild = "LEVER_PUBLISH_CHILD"

func TestMain(m *testing.M) {
	if how := os.Getenv(asChild); how != "" {
		write(how, os.Args[1], -1)
	}
	os.Exit(m.Run())
}

// refused is an exchange on a file system that has none.
func refused(string, string) error { return errors.ErrUnsupported }

const childFiles = 5

// write writes a folder or file again and again, with another generation each time, n times or, if that is negative, for ever.
func write(how, path string, n int) {
	for generation := 1; n < 0 || generation <= n; generation++ {
		content := []byte(strings.Repeat(fmt.Sprintln(generation), 1000))
		fill := func(dir string) error {
			for i := range childFiles {
				if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), content, 0o666); err != nil {
					return err
				}
			}
			return nil
		}
		var err error
		switch how {
		case "folder":
			err = Folder(path, true, fill)
		case "folder without exchange":
			err = folder(path, true, refused, fill)
		case "file":
			err = WriteFile(path, content, 0o666)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// generation returns the generation that is at path, which must be whole.
func generation(t *testing.T, path string) string {
	t.Helper()
	files := []string{path}
	if info, err := os.Stat(path); err != nil {
		t.Fatal(err)
	} else if info.IsDir() {
		files = nil
		for i := range childFiles {
			files = append(files, filepath.Join(path, strconv.Itoa(i)))
		}
	}
	first := ""
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		stamp, _, _ := strings.Cut(string(content), "\n")
		if first == "" {
			first = stamp
		}
		if stamp != first || string(content) != strings.Repeat(stamp+"\n", 1000) {
			t.Fatalf("%s is not the whole of generation %s", file, first)
		}
	}
	return first
}

// kills reports how often a test kills: LEVER_KILLS times, or usual times.
func kills(t *testing.T, usual int) int {
	text := os.Getenv("LEVER_KILLS")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Whenever a process is killed that replaces a folder or a file, one generation or another is there, and the next run leaves nothing else.
func TestKilled(t *testing.T) {
	if runtime.GOOS == "js" || runtime.GOOS == "wasip1" {
		t.Skip("skipped: needs processes")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, how := range []string{"folder", "folder without exchange", "file"} {
		t.Run(how, func(t *testing.T) {
			parent := t.TempDir()
			path := filepath.Join(parent, "x")
			write(how, path, 1)
			left, usual := 0, kills(t, 15)
			for n := 0; n < usual || left == 0 && n < 10*usual; n++ {
				cmd := exec.Command(os.Args[0], path)
				cmd.Env = append(os.Environ(), asChild+"="+how)
				cmd.Stderr = os.Stderr
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				later := 1 + n/usual // a busy machine takes long to start a process
				time.Sleep(time.Duration(later*rng.IntN(40)) * time.Millisecond)
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				cmd.Wait()
				if entries := names(t, parent); len(entries) != 1 {
					left++
				}
				if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && how == "folder without exchange" {
					Clean(parent)
				}
				generation(t, path)
			}
			write(how, path, 1)
			if got := names(t, parent); len(got) != 1 {
				t.Errorf("left behind: %v", got)
			}
			if left == 0 {
				t.Error("no kill left anything: all came too early or too late")
			}
			t.Logf("%d kills left something", left)
		})
	}
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// tree writes files below dir: a name that ends in a slash is a folder.
func tree(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		folder := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			folder = path
		}
		if err := os.MkdirAll(folder, 0o777); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "/") {
			if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// read returns what tree would write.
func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// What a process leaves that was killed at each point, and what the next call for the folder makes of it.
func TestLeftBehind(t *testing.T) {
	const work = prefix + "1/"
	for name, test := range map[string]struct{ before, after map[string]string }{
		"killed before the lock":               {map[string]string{work: ""}, nil},
		"killed before the folder":             {map[string]string{work + "lock": ""}, nil},
		"killed while it wrote":                {map[string]string{work + "lock": "", work + "new/a": "half"}, nil},
		"killed while it wrote a file":         {map[string]string{work + "lock": "", work + "new": "half"}, nil},
		"killed while it overwrote":            {map[string]string{work + "lock": "", work + "new/a": "half", "x/a": "old"}, map[string]string{"x/a": "old"}},
		"killed after the exchange":            {map[string]string{work + "lock": "", work + "new/a": "old", "x/a": "new"}, map[string]string{"x/a": "new"}},
		"killed before the renames":            {map[string]string{work + "lock": "x", work + "new/a": "new", "x/a": "old"}, map[string]string{"x/a": "old"}},
		"killed between the renames":           {map[string]string{work + "lock": "x", work + "new/a": "new", work + "old/a": "old"}, map[string]string{"x/a": "old"}},
		"killed after the renames":             {map[string]string{work + "lock": "x", work + "old/a": "old", "x/a": "new"}, map[string]string{"x/a": "new"}},
		"killed while it cleaned up":           {map[string]string{work + "new/a": "old", "x/a": "new"}, map[string]string{"x/a": "new"}},
		"killed while it put back":             {map[string]string{work + "lock": "x", "x/a": "old"}, map[string]string{"x/a": "old"}},
		"two at once":                          {map[string]string{work + "lock": "", prefix + "2/lock": "", prefix + "2/new/a": "half"}, nil},
		"a name elsewhere":                     {map[string]string{work + "lock": "../x", work + "old/a": "old"}, nil},
		"not a work folder":                    {map[string]string{".other.tmp-1/a": "1", prefix + "file": "2"}, map[string]string{".other.tmp-1/a": "1", prefix + "file": "2"}},
		"a lock that is a folder, not ours":    {map[string]string{work + "lock/a": ""}, map[string]string{work + "lock/a": ""}},
		"a lock with a name that is very long": {map[string]string{work + "lock": strings.Repeat("x", 10000), work + "old/a": ""}, map[string]string{work + "lock": strings.Repeat("x", 10000), work + "old/a": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "below")
			tree(t, dir, test.before)
			Clean(dir)
			if got := read(t, dir); fmt.Sprint(got) != fmt.Sprint(test.after) && len(got)+len(test.after) > 0 {
				t.Errorf("it holds %v, want %v", got, test.after)
			}
			if above := names(t, filepath.Dir(dir)); len(above) != 1 {
				t.Errorf("beside it there is now %v", above)
			}
		})
	}
}

// Nobody cleans up what a living process writes.
func TestLiving(t *testing.T) {
	dir := t.TempDir()
	err := Folder(filepath.Join(dir, "a"), false, func(a string) error {
		if err := os.WriteFile(filepath.Join(a, "1"), nil, 0o666); err != nil {
			return err
		}
		Clean(dir)
		if err := WriteFile(filepath.Join(dir, "b"), []byte("2"), 0o666); err != nil {
			return err
		}
		_, err := os.Stat(filepath.Join(a, "1"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); fmt.Sprint(got) != "[a b]" {
		t.Errorf("got %v", got)
	}
}

// Many writers and cleaners in one folder do not get in each other's way.
func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 20 {
				if err := WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte(fmt.Sprint(n)), 0o666); err != nil {
					t.Error(err)
				}
				Clean(dir)
			}
		})
	}
	group.Wait()
	if got := names(t, dir); len(got) != 8 {
		t.Errorf("got %v", got)
	}
}

func TestFolder(t *testing.T) {
	for name, exchange := range map[string]func(a, b string) error{"exchange": exchange, "two renames": refused} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "x")
			fill := func(content string) func(string) error {
				return func(dir string) error { return os.WriteFile(filepath.Join(dir, "a"), []byte(content), 0o666) }
			}
			holds := func(want string) {
				t.Helper()
				if got := read(t, dir); fmt.Sprint(got) != fmt.Sprint(map[string]string{"x/a": want}) {
					t.Errorf("the folder holds %v", got)
				}
			}
			if err := folder(path, true, exchange, fill("1")); err != nil {
				t.Fatal(err)
			}
			holds("1")
			if err := folder(path, false, exchange, fill("2")); !errors.Is(err, fs.ErrExist) {
				t.Errorf("something is there already: %v", err)
			}
			holds("1")
			if err := folder(path, true, exchange, fill("3")); err != nil {
				t.Error(err)
			}
			holds("3")
			full := errors.New("full")
			if err := folder(path, true, exchange, func(dir string) error { return errors.Join(fill("4")(dir), full) }); !errors.Is(err, full) {
				t.Errorf("got %v", err)
			}
			holds("3")
		})
	}
	if err := Folder(filepath.Join(t.TempDir(), "none", "x"), false, func(string) error { return nil }); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no parent: %v", err)
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	for _, content := range []string{"1", "", "345"} {
		if err := WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		full := errors.New("full")
		if err := File(path, 0o666, func(f *os.File) error { return full }); !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
		if got := read(t, dir); fmt.Sprint(got) != fmt.Sprint(map[string]string{"x": content}) {
			t.Errorf("the folder holds %v", got)
		}
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := WriteFile(filepath.Join(dir), nil, 0o600); err == nil {
		t.Error("a file replaced a folder")
	}
}

func TestTemp(t *testing.T) {
	parent := t.TempDir()
	dir, remove, err := Temp(parent)
	if err != nil {
		t.Fatal(err)
	}
	tree(t, dir, map[string]string{"a/b": "c"})
	Clean(parent)
	if _, err := os.Stat(filepath.Join(dir, "a/b")); err != nil {
		t.Error(err)
	}
	if err := remove(); err != nil {
		t.Error(err)
	}
	if got := names(t, parent); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}
