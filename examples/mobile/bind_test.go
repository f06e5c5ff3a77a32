package mobile

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// gobind generates Java and Objective-C for everything that is exported, and for what the apps use.
func TestGobind(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: builds gobind")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("skipped: needs the go command")
	}
	dir := t.TempDir()
	if output, err := exec.Command("go", "tool", "gobind", "-lang=java,objc", "-outdir="+dir, ".").CombinedOutput(); err != nil {
		t.Fatalf("gobind: %v: %s", err, output)
	}
	generated := ""
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		generated += string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Engine open(String modelDir, String draftDir, long memoryBytes)",
		"public Opener(String modelDir, String draftDir)", "Engine open(OpenProgress progress)", "void onProgress(String task, long done, long total)",
		"Answer generate(String prompt, Options options, TokenSink sink)", "void setJSONSchema(String v)", "void addStop(String text)",
		"public Downloader(String url, String dir)", "void download(OpenProgress progress) throws Exception", "String kindOf(java.lang.Exception err)", "String KindDamaged = ", "Statistics statistics()", "void resize(long memoryBytes)", "void setLoad(long percent)",
		"boolean onText(String text) throws Exception", "boolean onThought(String text) throws Exception", "String getThought()", "void trim(long level)", "void cancel()", "void close()",
		"go_seq_get_exception(env)", // an exception of onText reaches Go
		"saveSession(String path)", "loadSession(String path)", "double getTokensPerSecond()",
		"setTools(String list, ToolCaller caller)", "String callTool(String name, String arguments) throws Exception",
	} {
		if !strings.Contains(generated, want) {
			t.Errorf("there is no %s", want)
		}
	}
	// The apps use what there is.
	for pattern, name := range map[string]*regexp.Regexp{
		"android/app/src/main/kotlin/example/lever/*.kt": regexp.MustCompile(`\bMobile\.(\w+)|\bimport mobile\.(\w+)`),
		"ios/Sources/LeverChat/*.swift":                  regexp.MustCompile(`\b(Mobile[A-Z]\w*)|\b(?:o|engine|opener\.value|downloader\.value)\.(\w+)`),
	} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) != 3 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, used := range name.FindAllStringSubmatch(string(source), -1) {
				word := strings.TrimSuffix(strings.Join(used[1:], ""), "Protocol") // which Swift adds where a class has the same name
				if !regexp.MustCompile(`\b` + word + `\b`).MatchString(generated) {
					t.Errorf("%s uses %s, which gobind does not make", file, word)
				}
			}
		}
	}
	if strings.Contains(generated, "skipped") { // how gobind says that it cannot bind something
		at := strings.Index(generated, "skipped")
		t.Errorf("gobind left something out: %s", generated[max(0, at-80):min(len(generated), at+160)])
	}
}
