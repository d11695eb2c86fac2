//go:build unix

package etc

import "syscall"

func owner(sys any) (uid, gid uint32, ok bool) {
	st, ok := sys.(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return st.Uid, st.Gid, true
}
