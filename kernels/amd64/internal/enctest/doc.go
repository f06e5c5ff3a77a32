// Package enctest holds the instruction macros of amx_amd64.h to the bytes that they should make. It has nothing to export.
package enctest
