// Package enctest holds the instruction macros of enc_arm64.h and enc_sme2_arm64.h to the words that they should make. It has nothing to export.
package enctest
