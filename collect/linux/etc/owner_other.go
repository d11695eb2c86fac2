//go:build !unix

package etc

func owner(any) (uid, gid uint32, ok bool) { return 0, 0, false }
