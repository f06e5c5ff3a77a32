// Package weights keeps models in chunked stores on flash: it writes stores, checks them, and reads them, either whole into memory ([Resident]) or
// as they are used ([Streamer]). Package convert makes stores of Hugging Face folders and GGUF files.
//
// # Format, version 4
//
// A store is a folder:
//
//  1. lever.json, the manifest, is written last; a folder without it is no store;
//  2. chunks/0000.bin, chunks/0001.bin … hold the weights, one file per execution step in order of use: the embedding, block 0 …
//     L−1, and the head, which is the final norm and, unless the model is tied, the output matrix;
//  3. the tokenizer's files: copies of tokenizer.json, tokenizer_config.json, generation_config.json, config.json,
//     tokenizer.model, *.tiktoken and chat_template.jinja as far as the source has them, or tokenizer.gguf, a GGUF file without tensors that holds
//     general.architecture and the tokenizer.* keys of the source;
//  4. predictor-NN.bin, not part of the format and optional, holds a [StoredPredictor] that looks at the output of block NN;
//  5. verified.json, not part of the format, notes in which state of the files [Open] found all checksums right.
//
// A chunk is a sequence of segments without gaps. A segment is the unit of reading and checking. Its offset in the file and
// its size are multiples of 4096; it has at most 8 MiB, about 4 MiB where there is enough to fill it. A segment holds parts, each at a
// multiple of 4096; the bytes between them are zero.
//
// A tensor is cut into parts, each of whole tiles of 16 rows (the last may end inside a tile, which is padded with zero rows), in the
// packed form that [tensor.Packed] describes, so that kernels use a buffer in place. A small tensor is one part and shares its segment
// with its neighbours. Tensors are stored in the order in which a pass uses them, and so are their parts:
//
//	embedding                        [vocabulary][hidden]
//	block.N.attn_norm                [1][hidden]
//	block.N.q                        [heads·head size][hidden]
//	block.N.k, block.N.v             [kv heads·head size][hidden]
//	block.N.q_norm, block.N.k_norm   [1][head size], Qwen3 only
//	block.N.o                        [hidden][heads·head size]
//	block.N.mlp_norm                 [1][hidden]
//	block.N.gate, block.N.up         [ffn][hidden]
//	block.N.down                     [hidden][ffn]
//	final_norm                       [1][hidden]
//	head                             [vocabulary][hidden], absent where the embedding serves as the head
//
// These are the tensors of Llama and Qwen3. Those of another architecture, in [Contents].Steps, have names, shapes and an order of their own, and
// the configuration may be any. The first chunk holds tables, of which rows are looked up singly: the embedding, and further ones if the model has
// some, such as those of Gemma's per-layer embeddings. The names embedding, final_norm and head mean the same; the last two are pinned first.
//
// Rows of q and k are in Hugging Face's order: rotation pairs row i of a head with row i + head size/2.
//
// The manifest is one JSON object. Unknown keys, and keys that stand twice, are refused. It is not changed once it is written: its last
// bytes are ,"checksum":"…"} and a line feed, where … is the SHA-256 of all bytes before them, hexadecimal.
//
// Version 3 has no table but the embedding, and version 2 has no experts either; each is written of models that need no more. Version 1 has no
// checksum; such stores are still read, and [Verify] can't tell whether their manifest is as it was written.
//
//	{
//	  "format": "lever-store",
//	  "version": 4,                          3 if the embedding is the only table, 2 if no segment is an expert's either; nothing else differs
//	  "config": {…},                         Hugging Face's config.json with sorted keys and explicit tie_word_embeddings;
//	                                         rope_scaling may be {"rope_type": "factors", "factors": […]}, the divisors of the
//	                                         head size/2 rotary frequencies
//	  "tokenizer": [{"file", "size", "sha256"}],
//	  "chunks": [{"file", "size", "sha256", "segments": [{"offset", "size", "crc32c", "expert"}]}],
//	  "tensors": [{"name", "type", "rows", "cols",
//	               "parts": [{"chunk", "segment", "offset", "row", "rows"}],
//	               "tile_crc32c": […]}],
//	  "checksum": "…"
//	}
//
// type is f32 (vectors) or one of [tensor.PackableTypes]. A part's chunk and segment are indices, its offset counts from the start of the
// segment, and its first row from the start of the tensor. SHA-256 sums are hexadecimal, CRC-32C (Castagnoli) sums are
// numbers. expert is true where passes use the segment only if they are routed to the expert that it holds, and absent elsewhere; such a segment holds
// nothing else. Tables alone have tile_crc32c, the sum of each of their tiles, so that a row is looked up by reading one tile.
//
// A predictor's file has a version of its own, now 2. All is little-endian:
//
//	"LEVERPRD", uint32 version, uint32 size of the header
//	header, a JSON object: model, the SHA-256 of the chunks' SHA-256 sums as they stand in the manifest, one after the other; layer; width; rank;
//	vocab; type, q8_0; norm_eps; trust, the three weights by which it is blended with the draft; training, notes on where it comes from
//	Down [rank][width] and Out [vocab+1][rank], packed, each at the next multiple of 4096; the last row of Out is for another token than those
//	that are asked for
//	SHA-256 of all bytes before it
//
// # Streaming
//
// A pass uses all segments in the same order as the one before, so a [Streamer] knows what comes next. A [Plan] divides the memory that it may use, to the byte:
//
//  1. pinned segments, in memory of their own: the head first, where a pass may use it several times, then segments spread evenly over
//     the pass, then the embedding;
//  2. the ring: buffers for the others. A buffer is filled ahead of use, over the borders of layers and passes, and handed out in
//     place. The next read takes the buffer whose segment will not be needed for longest, which is the one just used;
//  3. tiles of the embedding, and of each other table, that were looked up last. Of other tables nothing else is ever in memory.
//
// A pass may leave segments out, as a mixture of experts does. Segments that the store marks as an expert's, and those that were not asked for
// between one use of the final norm or the head and the next, are not read ahead; the plan pins the others first, and the rest of the memory
// keeps those segments that were used most and last: a use counts half after 16 passes. (Keeping those used last alone finds nothing again where less
// than what one pass uses is kept.) [Streamer.Prefetch] tells which experts come next and how many rows use each, so that they are read one
// by one, each with as many reads as can be under way, and [Streamer.Ready] which
// of them are in memory, to be used first. Two groups of rows may take turns: what the last two calls of Prefetch told is read. [Stats] counts how many experts passes asked for, and how many were read.
//
// Ask for tensors in the order of the store, which is that of [Contents].Steps; the experts that a store marks may come in any. Another order gives the same values but costs
// reads in every pass: the stream then starts anew behind each tensor that came late, and what it had read ahead is read again.
// [Stats].OutOfOrder counts such requests, FirstOutOfOrder names the tensor, and [StreamOptions].Trace is called for each.
//
// With pins that are spread evenly a pass takes as long as reading the rest or as computing, whichever is longer. A head that stays in memory
// as a whole adds the time in which it is computed to that of reading: whatever is read meanwhile needs memory, and a byte
// more in the ring is a byte less that is pinned, to be read in every pass. That pays where it is used more than once;
// otherwise [StreamOptions].HeadOnce has it pinned like the rest.
//
// Only the tiles are on the Go heap. Readers keep a fixed number of reads under way and do nothing else; checkers compute CRC-32C beside
// them. Buffers of 2 MiB and more are backed by huge pages where the system has them: a device fills a huge page with a piece of one
// request but small pages with many, which made direct reads 2.6 times as fast on a virtual machine's NVMe disk (2.2 instead of 0.83 GB/s for 4
// reads of 4 MiB). Experts share allocations of 64 MiB, as most are not of whole huge pages. Files that refuse direct reads are read through the page cache, which is told to forget them.
//
// A segment that does not arrive or is not right is read once more, then it is an error that names it. Files that are deleted or replaced
// while they are read give [ErrReplaced] when the next segment of theirs is read from flash. [Streamer.Resize] and [Streamer.Trim]
// change the limit at any time.
//
// # Usage
//
//	err := convert.Convert(ctx, "Llama-3.2-1B", "llama.lever", weights.WriteOptions{Type: tensor.Q8_0})
//	…
//	store, err := weights.Open(ctx, "llama.lever", weights.OpenOptions{})
//	…
//	w, err := store.Stream(ctx, weights.StreamOptions{DRAM: 2 << 30}) // or store.Resident(ctx, nil)
//	…
//	defer w.Close()
//	for part, err := range w.Parts(ctx, "block.0.q") {
//		…
//	}
//
// Package flashsim makes a store as slow as a flash device.
//
// # Limits
//
// The 16 rows of one tile take at most 7 MiB. Processors have 64 bits: on others [Open], [Verify], [Inspect] and [Write] give [ErrUnsupported].
//
// # Errors
//
// Errors wrap one of these, an error of the operating system such as [io/fs.ErrNotExist], or that of a context. Where a chunk is concerned, a
// [ChunkError] says which, and which segment; where another file of a store is damaged, a [FileError] says which.
//
//   - [ErrCorrupt]: bytes are not what they should be. Convert again, or copy the store again.
//   - [ErrTruncated]: a file ends too early, as after a copy that was interrupted.
//   - [ErrVersion]: the store is of another version of the format.
//   - [ErrUnsupported]: the model, or a tensor of it, is of a kind that is not known here.
//   - [ErrForeign]: a predictor was trained for other weights. Train one for this store, or delete the file.
//   - [ErrArgument]: an argument is out of range, or a [Contents] has a mistake. A memory limit that is too small is a [MemoryError], which says how
//     much is needed.
//   - [ErrReplaced]: the store was changed while it was open. Open it again.
package weights
