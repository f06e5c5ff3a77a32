package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/server"
	"github.com/lever-go/lever/weights"
	"github.com/spf13/cobra"
)

// apiKeyVariable is the environment variable that holds the key which clients must send.
const apiKeyVariable = "LEVER_API_KEY"

func newServeCommand() *cobra.Command {
	var flags modelFlags
	var listen, name, keyFile string
	var verbose bool
	var options server.Options
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer the HTTP APIs of OpenAI, Anthropic and Ollama, and a web page to chat with",
		Long: `Answer the HTTP APIs of OpenAI (/v1/chat/completions, /v1/responses, /v1/completions, /v1/embeddings), Anthropic (/v1/messages) and Ollama (/api/chat),
and a web page to chat with, on ` + defaultListen + `.

Up to --parallel requests are answered at once, and share what is read from flash; some wait, and further ones are sent away with status 429.
Flags of generation are what a request gets that does not say otherwise. Other machines reach the server only if --listen names an address that they can reach; set a key
then, in $` + apiKeyVariable + ` or with --api-key-file: there is no encryption.

Pages of other origins, such as one that you develop on http://localhost:3000, may call only if --allow-origin lists them. Containers
that reach this machine by a name need --allow-host for it.`,
		Example: `  lever serve
  lever serve --model llama-8b.lever --draft llama-1b.lever --dram 2GiB
  LEVER_API_KEY=$(openssl rand -hex 16) lever serve --listen 0.0.0.0:8080
  lever serve --allow-origin http://localhost:3000 --allow-host host.docker.internal`,
		Args: cli.ExactArgs(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := flags.check(); err != nil {
				return err
			}
			if min(options.Waiting, options.Clients) < 1 || max(options.Waiting, options.Clients) > 1<<16 {
				return cli.UsageErrorf("--queue and --clients are numbers from 1 to %d", 1<<16)
			}
			if flags.parallel < 1 || flags.parallel > lever.MaxParallel {
				return cli.UsageErrorf("--parallel is a number from 1 to %d", lever.MaxParallel)
			}
			var err error
			if options.APIKey, err = readKey(keyFile); err != nil {
				return err
			}
			options.Model = cmp.Or(name, modelName(flags.model))
			if err := options.Check(); err != nil {
				return cli.UsageErrorf("%v", err)
			}
			level := slog.LevelInfo
			if verbose {
				level = slog.LevelDebug
			}
			options.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
			return serve(cmd.Context(), flags, listen, options)
		},
	}
	flags.register(cmd.Flags())
	cmd.Flags().Lookup("max-tokens").DefValue = "0"
	flags.maxTokens = 0
	cmd.Flags().StringVar(&listen, "listen", defaultListen, "address and port to listen on")
	cmd.Flags().StringVar(&name, "name", "", "name by which requests call the model (default: that of its folder or file)")
	cmd.Flags().StringVar(&keyFile, "api-key-file", "", "file with the key that clients must send (default: $"+apiKeyVariable+", or none)")
	cmd.Flags().IntVar(&flags.parallel, "parallel", 4, "requests that are answered at once; each takes memory for its conversation, which is kept for the next turn")
	cmd.Flags().IntVar(&options.Waiting, "queue", 16, "requests that may wait")
	cmd.Flags().IntVar(&options.Clients, "clients", 256, "requests that may be open at once")
	cmd.Flags().StringSliceVar(&options.Origins, "allow-origin", nil, "origins of web pages that may call, such as http://localhost:3000; * is all")
	cmd.Flags().StringSliceVar(&options.Hosts, "allow-host", nil, "further host names that requests may be sent to, such as host.docker.internal")
	cmd.Flags().BoolVar(&verbose, "verbose", false, "log requests, without their text")
	return cmd
}

const defaultListen = "127.0.0.1:8080"

// modelName returns the name of a model that is given by its path.
func modelName(path string) string {
	if path == "" {
		return "demo"
	}
	name := filepath.Base(filepath.Clean(path))
	return strings.TrimSuffix(strings.TrimSuffix(name, ".lever"), ".gguf")
}

// readKey returns the key that clients must send; if empty, none.
func readKey(file string) (string, error) {
	if file == "" {
		return os.Getenv(apiKeyVariable), nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the API key: %w", err)
	}
	key := strings.TrimSpace(string(content))
	if key == "" {
		return "", fmt.Errorf("read the API key: %s is empty", file)
	}
	return key, nil
}

func serve(ctx context.Context, flags modelFlags, address string, options server.Options) error {
	listener, err := net.Listen("tcp", address) // before models are loaded: a port that is taken shows at once
	if err != nil {
		return fmt.Errorf("%w; --listen chooses another address, such as 127.0.0.1:8081", err)
	}
	engine, err := flags.open(ctx, cli.NewProgress(os.Stderr))
	if err != nil {
		return errors.Join(cli.Interrupted(ctx, err), listener.Close())
	}
	if options.Request, _, err = flags.request(engine); err != nil {
		return errors.Join(err, listener.Close(), engine.Close())
	}
	options.Engine = engine
	if err := describeFile(&options, engine); err != nil {
		return errors.Join(err, listener.Close(), engine.Close())
	}
	s, err := server.New(options)
	if err != nil {
		return errors.Join(err, listener.Close(), engine.Close())
	}
	if err := prepare(ctx, cli.Stderr, engine, &lever.Request{Prompt: "?"}); err != nil {
		fmt.Fprintf(cli.Stderr, "lever: the chat template: %s\n", cli.ErrorText(err)) // of another conversation it may be otherwise
	}
	_, caches := engine.CacheMemory()
	fmt.Fprintf(cli.Stderr, "lever: %s of up to %s take at most %s beside the weights\n",
		plural.Of(engine.Parallel(), "conversation"), plural.Of(engine.Context(), "token"), cli.FormatBytes(caches))
	fmt.Fprintf(cli.Stderr, "lever: model %s on http://%s\n", options.Model, listener.Addr())
	if a, ok := listener.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() && options.APIKey == "" {
		fmt.Fprintf(cli.Stderr, "lever: anyone who reaches this address can use the model; set %s to ask for a key\n", apiKeyVariable)
	}
	return errors.Join(s.Serve(ctx, listener), engine.Close())
}

// describeFile has the server tell of the model's file.
func describeFile(options *server.Options, engine *lever.Engine) (err error) {
	store, _ := engine.Stores()
	types := store.Types()
	file := &options.File
	file.Architecture, file.Type, file.Bytes = engine.Model().Architecture.Name, types[0].Type, store.Bytes()
	for _, t := range types {
		file.Parameters += t.Elements
	}
	if file.SHA256, err = store.Hash(); err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(store.Dir(), weights.ManifestName))
	if err == nil {
		file.Time = info.ModTime()
	}
	return err
}
