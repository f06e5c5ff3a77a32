// Package publish writes files and folders that appear under their names in one step, whole and on the disk.
//
// What is being written lies beside its destination in a work folder, .lever-tmp-NUMBER:
//
//  1. lock is a file that the process holds locked as long as it lives: the system releases the lock however the process ends;
//  2. new is what is being written;
//  3. old is what was at the destination, where the file system cannot exchange the two in one step; lock then holds the name of the
//     destination.
//
// Every call first removes the work folders that dead processes left in the same parent folder, and puts back what they hold of a
// destination that is missing. Where files cannot be locked, a work folder is taken for a dead process's when it is a day old.
package publish
