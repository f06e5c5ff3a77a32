package bench

import (
	_ "embed"
	"fmt"
	"strings"
)

// Files that are edited: of this package itself.
var (
	//go:embed stats.go
	statsFile string
	//go:embed machine.go
	machineFile string
	//go:embed page.txt
	pageFile string
)

// CopyingSets returns prompts whose answers are for the most part in them, each with its answer, as models of a few billion parameters give and
// the demo's can't: edits repeat a file with one change, and retrieval answers questions about a text in its words.
func CopyingSets() []Set {
	edits, retrieval := Set{Name: "edits"}, Set{Name: "retrieval"}
	for i, e := range []struct{ file, old, new string }{
		{statsFile, "values", "samples"},
		{statsFile, "GeometricMean", "MeanRatio"},
		{machineFile, "Load", "Busy"},
	} {
		text := fmt.Sprintf("Repeat this file, but call %s %s.\n\n```go\n%s```", e.old, e.new, e.file)
		edits.Prompts = append(edits.Prompts, Prompt{
			ID: fmt.Sprintf("edits/%d", i), Text: text, Answer: "```go\n" + strings.ReplaceAll(e.file, e.old, e.new) + "```",
		})
	}
	for i, q := range [][2]string{
		{"When does the ferry leave for Orm, and what does it carry?", "It says: \"The ferry to Orm leaves the eastern quay at half past seven and at two, and takes people, bicycles and dogs, but no cars.\""},
		{"What must visitors of the lighthouse know?", "There are two rules. \"Children under eight climb the lighthouse with an adult only, as the last forty steps have no rail.\" And: \"The lamp room is closed in winds above force seven.\""},
		{"Who keeps the archive, and when is it open?", "The archive is kept by Ines Valder: \"Ines Valder has kept the harbour archive since 1998 and opens it on Tuesdays from ten to four.\" For other days, \"letters to the harbour office are answered within a week.\""},
	} {
		text := fmt.Sprintf("Answer in the words of this text.\n\n%s\n%s", pageFile, q[0])
		retrieval.Prompts = append(retrieval.Prompts, Prompt{ID: fmt.Sprintf("retrieval/%d", i), Text: text, Answer: q[1]})
	}
	return []Set{edits, retrieval}
}
