package mobile

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// gobind generates Java for everything that is exported.
func TestGobind(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: builds gobind")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("skipped: needs the go command")
	}
	dir := t.TempDir()
	if output, err := exec.Command("go", "tool", "gobind", "-lang=java", "-outdir="+dir, ".").CombinedOutput(); err != nil {
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
		"boolean onText(String text) throws Exception", "void trim(long level)", "void cancel()", "void close()",
		"go_seq_get_exception(env)", // an exception of onText reaches Go
		"saveSession(String path)", "loadSession(String path)", "double getTokensPerSecond()",
		"setTools(String list, ToolCaller caller)", "String callTool(String name, String arguments) throws Exception",
	} {
		if !strings.Contains(generated, want) {
			t.Errorf("there is no %s", want)
		}
	}
	if strings.Contains(generated, "skipped") { // how gobind says that it cannot bind something
		at := strings.Index(generated, "skipped")
		t.Errorf("gobind left something out: %s", generated[max(0, at-80):min(len(generated), at+160)])
	}
}
