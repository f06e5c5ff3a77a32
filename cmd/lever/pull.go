package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/fileerr"
	"github.com/lever-go/lever/internal/hub"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/weights/convert"
	"github.com/spf13/cobra"
)

// pullFlags are the flags of pull.
type pullFlags struct {
	endpoint, revision, sum string
	files                   []string
}

func newPullCommand() *cobra.Command {
	var f pullFlags
	cmd := &cobra.Command{
		Use:   "pull REPOSITORY|URL [FOLDER]",
		Short: "Download a model that you name from a Hugging Face hub or another address",
		Long: `Download a model: the safetensors of a repository on a Hugging Face hub with what belongs to them, or its GGUF file, or one file from any
address. Of a repository with several GGUF files it lists them, with what each would give on this machine, for you to choose with --file.
Every file of a repository is checked against the hub's checksum. An interrupted download goes on where it stopped when the same
command is given again. Licences are between you and the model's owner; for private and gated repositories set HF_TOKEN.

FOLDER is by default named like the repository; for a URL it is the current one.`,
		Example: `  lever pull Qwen/Qwen3-0.6B
  lever pull OWNER/Qwen3-8B-GGUF --file '*Q4_K_M.gguf' models
  lever pull https://example.org/model.gguf --sha256 9f86d081…`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return cli.UsageErrorf("pull takes a repository or URL and perhaps a folder; it got %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			folder := ""
			if len(args) == 2 {
				folder = args[1]
			}
			return cli.Interrupted(cmd.Context(), f.run(cmd.Context(), args[0], folder))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.endpoint, "endpoint", "", "address of the hub (default: $HF_ENDPOINT, or "+hub.DefaultBase+")")
	flags.StringVar(&f.revision, "revision", "main", "branch, tag or commit of the repository")
	flags.StringArrayVar(&f.files, "file", nil, "only files of this name or pattern (can be repeated)")
	flags.StringVar(&f.sum, "sha256", "", "with a URL: what the file's SHA-256 has to be")
	return cmd
}

func (f *pullFlags) run(ctx context.Context, source, folder string) error {
	bar := cli.NewProgress(os.Stderr)
	defer bar.Close()
	client := &hub.Client{
		Base:     strings.TrimSuffix(cmp.Or(f.endpoint, os.Getenv("HF_ENDPOINT"), hub.DefaultBase), "/"),
		Token:    os.Getenv("HF_TOKEN"),
		Progress: func(p hub.Progress) { bar.Update("downloading "+p.File, p.Done, p.Total) },
		Failed:   func(err error) { bar.Note(fmt.Sprintf("%v; trying again", err)) },
	}
	repo := f.repository(client.Base, source)
	files, err := f.find(ctx, client, repo, source)
	if err != nil {
		return err
	}
	folder = cmp.Or(folder, path.Base(repo), ".")
	if err := f.check(ctx, client, files); err != nil {
		return err
	}
	if err := client.Download(ctx, files, folder); errors.Is(err, hub.ErrChecksum) {
		return fmt.Errorf("%w: it was not kept", err)
	} else if err != nil {
		return fmt.Errorf("%w; the same command goes on where this one stopped", err)
	}
	bar.Close()
	size := int64(0)
	model := folder // for lever convert
	for _, file := range files {
		info, err := os.Stat(filepath.Join(folder, file.Name()))
		if err != nil {
			return err
		}
		size += info.Size()
		if filepath.Ext(file.Name()) == ".gguf" && model == folder { // the first part
			model = filepath.Join(folder, file.Name())
		}
		if file.Sum.String() == "" {
			fmt.Fprintf(cli.Stderr, "lever: nobody says what %s should be: it was not checked; --sha256 does\n", file.Name())
		}
	}
	fmt.Fprintf(cli.Stderr, "%s: %s; next: lever convert %s NAME.lever\n", folder, cli.FormatBytes(size), model)
	return nil
}

// check refuses a model that could not be converted, before its weights are downloaded and anything is in the folder. Files that were
// asked for by name are not looked at.
func (f *pullFlags) check(ctx context.Context, client *hub.Client, files []hub.File) error {
	if len(f.files) > 0 {
		return nil
	}
	silent := *client
	silent.Progress = nil
	if len(files) == 1 && path.Ext(files[0].Name()) == ".gguf" {
		return checkGGUF(ctx, &silent, files[0])
	}
	return checkFolder(ctx, &silent, files)
}

// checkFolder downloads all but the weights of a model in safetensors into another folder, looks at them, and removes them.
func checkFolder(ctx context.Context, client *hub.Client, files []hub.File) (err error) {
	const config = "config.json"
	var first, others []hub.File
	for _, file := range files {
		switch {
		case file.Name() == config:
			first = append(first, file)
		case path.Ext(file.Name()) != ".safetensors":
			others = append(others, file)
		}
	}
	if len(first) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp("", "lever-pull-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := client.Download(ctx, first, dir); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, config))
	if err != nil {
		return err
	}
	if err := convert.CheckConfig(text, config); err != nil {
		return refused(err)
	}
	if err := client.Download(ctx, others, dir); err != nil {
		return err
	}
	return refused(tokenizer.Check(os.DirFS(dir)))
}

// checkGGUF looks at the header of a GGUF file, if the server gives parts of files.
func checkGGUF(ctx context.Context, client *hub.Client, file hub.File) error {
	remote, err := client.Remote(ctx, file)
	if err == nil {
		err = convert.CheckGGUF(remote, remote.Size(), file.Name(), tokenizer.Check)
	}
	switch {
	case errors.Is(err, hub.ErrNoRanges):
		return nil
	case remote != nil && remote.Err() != nil:
		return remote.Err()
	}
	return refused(err)
}

// refused adds to an error of a model that could not be converted what that means for its download.
func refused(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w; nothing was downloaded, as the model could not be converted", err)
}

// repository returns the name of the repository that source means: as such, or as the address of its page. It is empty where source is the
// address of a file.
func (f *pullFlags) repository(base, source string) string {
	if hub.IsRepo(source) {
		return source
	}
	if u, err := url.Parse(source); err == nil {
		if name, ok := strings.CutPrefix(u.Scheme+"://"+u.Host+u.Path, base+"/"); ok && hub.IsRepo(strings.TrimSuffix(name, "/")) {
			return strings.TrimSuffix(name, "/")
		}
	}
	return ""
}

// find describes the files to download.
func (f *pullFlags) find(ctx context.Context, client *hub.Client, repo, source string) ([]hub.File, error) {
	if repo == "" {
		if !strings.Contains(source, "://") {
			return nil, cli.UsageErrorf("%q is neither a repository, such as Qwen/Qwen3-8B, nor an address", source)
		}
		if len(f.files) > 0 {
			return nil, cli.UsageErrorf("--file chooses from a repository; %s is one file", source)
		}
		// The page that shows a file is not the file.
		file, err := client.File(ctx, strings.Replace(source, "/blob/", "/resolve/", 1), f.sum)
		return []hub.File{file}, err
	}
	if f.sum != "" {
		return nil, cli.UsageErrorf("--sha256 is for a URL; the hub knows the sums of a repository's files")
	}
	listing, err := client.Repo(ctx, repo, f.revision)
	if err != nil {
		return nil, err
	}
	if len(f.files) > 0 {
		return listing.Match(f.files)
	}
	files, err := listing.ModelFiles()
	var choice *hub.ChoiceError
	if errors.As(err, &choice) {
		if err := printChoices(cli.Stdout, choice.Choices, weightMemory(0)); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%s holds several GGUF models; choose one with --file, such as --file '%s'", repo, choice.Choices[0].Pattern)
	}
	return files, err
}

// printChoices writes a table of GGUF models, and what they would give on this machine with the given memory for weights. What a pass uses is about the
// size of the file.
func printChoices(out io.Writer, choices []hub.Choice, memory int64) error {
	machine, known := loadRates()
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if known {
		fmt.Fprintf(table, "--file\tsize\ttokens/s with %s for weights\n", cli.FormatBytes(memory))
	} else {
		fmt.Fprintln(table, "--file\tsize")
	}
	for _, c := range choices {
		size, rate := "unknown", "?"
		if c.Size >= 0 {
			size, rate = cli.FormatBytes(c.Size), fmt.Sprintf("%.3g", machine.tokensPerSecond(max(c.Size, 1), memory))
		}
		if fmt.Fprintf(table, "%s\t%s", fileerr.Name(c.Pattern), size); known {
			fmt.Fprintf(table, "\t%s", rate)
		}
		fmt.Fprintln(table)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return printRateNote(out, known)
}
