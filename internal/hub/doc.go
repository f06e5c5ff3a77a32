// Package hub downloads models: the files of a repository on a Hugging Face hub, or one file from any address.
//
//	c := &hub.Client{Token: os.Getenv("HF_TOKEN")}
//	repo, err := c.Repo(ctx, "Qwen/Qwen3-8B", "main")
//	…
//	files, err := repo.ModelFiles()
//	…
//	err = c.Download(ctx, files, "Qwen3-8B")
//
// What arrives goes into a hidden file .NAME.VERSION.part, which a later download of the same version continues, and gets its name once
// it is whole and its checksum is that of the hub. The version is that checksum or, for other addresses, the server's entity tag, so that
// pieces of two versions are never put together; those of other versions are removed once the file is there. A process locks what it
// continues. config.json is downloaded last: a folder without it is no model.
//
// A connection that breaks or stalls is taken up again where it broke; [Client] gives up when several tries in a row bring nothing.
package hub
