package syslog

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"kakusho/door"
	"kakusho/event"
)

// workers bring datagrams to the store side by side; one address has always the same,
// so its messages stay in order.
const workers = 8

// receiveBuffer is how many bytes of datagrams may wait in the kernel.
const receiveBuffer = 8 << 20

// ListenUDP opens an address for ServeUDP, with room for a burst that comes before it
// is served.
func ListenUDP(address string) (*net.UDPConn, error) {
	a, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP("udp", a)
	if err != nil {
		return nil, err
	}
	enlarge(conn, receiveBuffer)
	return conn, nil
}

// ServeUDP takes messages from datagrams until ctx ends; it closes conn. Datagrams are
// read even while the store is full, as long as there is memory; after that they are
// counted as lost, by address. What the kernel had to drop is counted without one.
func ServeUDP(ctx context.Context, conn *net.UDPConn, o Options) error {
	o.complete()
	enlarge(conn, receiveBuffer)
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	defer conn.Close()
	late, cancel := door.Late(ctx)
	defer cancel()
	u := &datagrams{o: o}
	var done sync.WaitGroup
	defer done.Wait()
	for i := range u.queue {
		u.queue[i] = make(chan datagram, 1<<14)
		done.Go(func() { u.work(late, u.queue[i]) })
		defer close(u.queue[i])
	}
	ended := make(chan struct{})
	done.Go(func() { u.countDrops(conn, ended) })
	defer close(ended)
	buf := make([]byte, 64<<10)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			o.Log.Warn("read syslog datagram", "error", err)
			continue
		}
		u.put(buf[:n], from.Addr().Unmap())
	}
}

// countDrops tells the store what the kernel dropped, also when nothing more comes.
func (u *datagrams) countDrops(conn *net.UDPConn, ended <-chan struct{}) {
	tick := time.NewTicker(dropsEvery)
	defer tick.Stop()
	var dropped uint32
	for {
		if now, ok := drops(conn); ok && now != dropped {
			u.o.Sink.Lost(event.Origin{Door: "syslog-udp"}, int64(now-dropped), "dropped by the kernel: receive buffer full")
			dropped = now
		}
		select {
		case <-ended:
			return
		case <-tick.C:
		}
	}
}

const dropsEvery = 200 * time.Millisecond

type datagrams struct {
	o      Options
	queue  [workers]chan datagram
	queued atomic.Int64 // bytes
}

type datagram struct {
	message []byte
	from    netip.Addr
	at      time.Time
}

// overhead is what a datagram costs in memory beside its bytes.
const overhead = 128

func (u *datagrams) put(message []byte, from netip.Addr) {
	size := int64(len(message)) + overhead
	if u.queued.Add(size) <= u.o.MaxQueued {
		d := datagram{append([]byte(nil), message...), from, u.o.Now()}
		last := from.As16()
		select {
		case u.queue[(last[15]^last[14]^last[13])%workers] <- d:
			return
		default:
		}
	}
	u.queued.Add(-size)
	u.o.Sink.Lost(event.Origin{Door: "syslog-udp", Address: from.String()}, 1, "no room: the event store is full or slow")
}

// work delivers what waits, one batch an address, the addresses side by side.
func (u *datagrams) work(late context.Context, queue <-chan datagram) {
	for first := range queue {
		batches := map[netip.Addr]*event.Batch{}
		size := u.add(batches, first)
	gather:
		for count := 1; count < maxBatch; count++ {
			select {
			case d, ok := <-queue:
				if !ok {
					break gather
				}
				size += u.add(batches, d)
			default:
				break gather
			}
		}
		var sent sync.WaitGroup
		for _, b := range batches {
			sent.Go(func() { door.Deliver(late, u.o.Sink, u.o.Log, *b) })
		}
		sent.Wait()
		u.queued.Add(-size)
	}
}

func (u *datagrams) add(batches map[netip.Addr]*event.Batch, d datagram) (size int64) {
	b := batches[d.from]
	if b == nil {
		b = &event.Batch{Origin: event.Origin{Door: "syslog-udp", Address: d.from.String()}}
		batches[d.from] = b
	}
	if len(d.message) > 0 {
		c := cut{message: d.message}
		if len(c.message) > u.o.MaxMessage {
			c = cut{message: d.message[:u.o.MaxMessage], of: len(d.message)}
		}
		b.Events = append(b.Events, received(c, d.at, b.Origin))
	}
	return int64(len(d.message)) + overhead
}
