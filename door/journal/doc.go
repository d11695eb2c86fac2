// Package journal reads the files systemd's journald writes, by their documented
// format and without its library or programs: zstd, lz4 and xz objects, compact
// files, rotation and vacuuming.
//
// It promises that every entry readable in the folders is brought once, in the
// order of each file, and that entries which were vacuumed before they could be
// read are counted as lost by the numbers journald gave them.
package journal
