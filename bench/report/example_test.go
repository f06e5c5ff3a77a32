package report_test

import (
	"fmt"
	"os"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/report"
)

func ExampleReport_WriteText() {
	r := report.New("flash", "Reading from flash")
	t := r.AddTable("Bandwidth", report.Text("size"), report.Number("MB/s", 0))
	t.Add("4 KiB", 120.5)
	t.Add("1 MiB", 2100.0)
	r.Find("Reads of 1 MiB are %.0f times as fast.", 2100/120.5)
	r.Machine = bench.Machine{System: "android/arm64", Processors: 8, Kernels: "i8mm", Go: "go1.26", Commit: "1234567", Load: "0.10"} // instead of this one
	if err := r.WriteText(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Reading from flash
	// android/arm64, 8 × processor, kernels i8mm, go1.26, commit 1234567, load 0.10; 0 s
	//
	// Bandwidth
	//    size  MB/s
	//   4 KiB   120
	//   1 MiB  2100
	//
	// Reads of 1 MiB are 17 times as fast.
}
