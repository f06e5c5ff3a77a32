// Package profile measures what a machine takes for the parts of a pass: reading from flash, computing blocks and projections, and
// moving memory, and multiplying on an NPU. The result is kept as profile.json and is the input of the cost model of package spec/gaincost.
//
// # profile.json, version 1
//
// One object; unknown keys are refused. Times are in seconds, sizes in bytes (1 MiB = 1048576), bandwidths in bytes per second.
//
//  1. format "lever-profile", version, date, machine (system, architecture, processors, threads used), kernels;
//  2. flash: how the page cache was kept out (mode), the bandwidth and the latency of reads by size and depth, and the size
//     and depth that the streamer does best to use;
//  3. memory_bytes_per_second, read by all threads together;
//  4. npu, if there is one: what a submit takes, and how fast device and CPU multiply, by type of weights and rows;
//  5. target and draft: the hash of the store, the number of blocks, the time of one block and of the projection by rows,
//     and how much attention adds for each position of the text;
//  6. device, in the report of an examination: processor, features, memory, which device files could be opened, how fast it generated
//     text for a minute and how hot it became, and the flash after that.
//
// # Usage
//
//	p, err := profile.Measure(ctx, profile.Options{Target: store, Pool: pool, Dir: cacheDir})
//	…
//	err = p.Save("profile.json")
//	…
//	p, err = profile.Load("profile.json")
//	…
//	costs, err := p.Costs(profile.PassReads{Blocks: streamed, Ring: ringBytes})
//
// # Limits
//
// Blocks of a model are taken to be alike: as many of the first as fit into 256 MiB are measured, with random text and no other load. The
// cache inside a drive, or that of a virtual machine's host, can't be kept out.
//
// # Errors
//
//   - [ErrVersion]: the file is of another version.
//   - [ErrInvalid]: it is no profile, or its numbers can't be.
//
// Measuring returns errors of the store and of the operating system wrapped.
package profile
