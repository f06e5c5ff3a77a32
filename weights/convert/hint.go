package convert

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lever-go/lever/internal/fileerr"
	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/weights"
)

const (
	saveAgain   = "save the model as safetensors (save_pretrained of transformers does), or take a GGUF file"
	pyTorchFile = "a PyTorch checkpoint, if it is a model; " + saveAgain
	takeOther   = "take the model's Hugging Face folder with safetensors, or a GGUF file"
)

// otherForms are files of models in forms that are not read, and what to do about them. In a folder, the last ones may be something else.
var otherForms = []struct{ pattern, text string }{
	{"adapter_config.json", "a LoRA adapter; merge it into its base model first (merge_and_unload of peft does)"},
	{"pytorch_model*.bin", "a PyTorch checkpoint; " + saveAgain},
	{"consolidated*.pth", "a PyTorch checkpoint; " + takeOther},
	{"*.onnx", "an ONNX model; " + takeOther},
	{"*.tflite", "a LiteRT model; " + takeOther},
	{"*.litertlm", "a LiteRT model; " + takeOther},
	{"*.task", "a MediaPipe model; " + takeOther},
	{"*.pte", "an ExecuTorch model; " + takeOther},
	{"*.mlpackage", "a Core ML model; " + takeOther},
	{"*.npz", "an MLX model; take the model that it was made from, with safetensors, or a GGUF file"},
	{"*.h5", "a TensorFlow checkpoint; " + takeOther},
	{"*.msgpack", "a Flax checkpoint; " + takeOther},
	{"*.bin", pyTorchFile}, {"*.pt", pyTorchFile}, {"*.pth", pyTorchFile},
}

// otherForm says in which other form the file called name holds a model; "" for none that is known.
func otherForm(name string) string {
	for _, f := range otherForms {
		if matches, _ := filepath.Match(f.pattern, name); matches { // the patterns are well-formed
			return "holds " + f.text
		}
	}
	return ""
}

// hint says what a folder that is not a model to convert is instead, or what in or around it may have been meant, beginning with a
// semicolon; "" where nothing is known.
func hint(dir string) string {
	if isStore, _ := weights.IsStore(filepath.Dir(filepath.Clean(dir))); isStore {
		return "; it is a part of one"
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	if len(entries) == 0 {
		return "; it is empty"
	}
	ggufs := matches(dir, "*.gguf")
	ggufs = slices.DeleteFunc(ggufs, func(path string) bool { return gguf.Parts(path)[0] != path })
	if len(ggufs) > 0 {
		return meant(ggufs, "GGUF files")
	}
	for _, pattern := range []string{"*/" + weights.ManifestName, "*/config.json", "snapshots/*/config.json"} {
		var folders []string
		for _, file := range matches(dir, pattern) {
			folders = append(folders, filepath.Dir(file))
		}
		if len(folders) > 0 {
			return meant(folders, "models")
		}
	}
	for _, f := range otherForms {
		if found := matches(dir, f.pattern); len(found) > 0 && f.text != pyTorchFile {
			return "; " + fileerr.Name(filepath.Base(found[0])) + " holds " + f.text
		}
	}
	return ""
}

// matches returns the paths in dir that match the pattern.
func matches(dir, pattern string) []string {
	found, _ := fs.Glob(os.DirFS(dir), pattern) // the patterns are well-formed
	for i, name := range found {
		found[i] = filepath.Join(dir, filepath.FromSlash(name))
	}
	return found
}

// meant says that one of paths may have been meant.
func meant(paths []string, what string) string {
	if len(paths) == 1 {
		return "; perhaps " + paths[0] + " is meant"
	}
	var names []string
	for _, p := range paths {
		names = append(names, filepath.Base(p))
	}
	return "; it holds several " + what + ", " + fileerr.Text(strings.Join(names, ", ")) + "; perhaps " + paths[0] + " is meant"
}
