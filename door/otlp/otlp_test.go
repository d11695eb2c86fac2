package otlp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdk "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	logspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	pb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"kakusho/door/doortest"
	"kakusho/door/otlp"
	"kakusho/event"
)

func serve(t *testing.T, o otlp.Options) (*doortest.Sink, string) {
	t.Helper()
	sink := &doortest.Sink{T: t}
	o.Sink, o.Now = sink, time.Now
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- otlp.Serve(ctx, ln, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return sink, ln.Addr().String()
}

// exporters are OpenTelemetry's own.
func exporters(t *testing.T, address string) map[string]sdk.Exporter {
	t.Helper()
	ctx := context.Background()
	must := func(e sdk.Exporter, err error) sdk.Exporter {
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Shutdown(ctx) })
		return e
	}
	again := 100 * time.Millisecond
	return map[string]sdk.Exporter{
		"http": must(otlploghttp.New(ctx, otlploghttp.WithEndpoint(address), otlploghttp.WithInsecure(),
			otlploghttp.WithRetry(otlploghttp.RetryConfig{Enabled: true, InitialInterval: again, MaxInterval: again, MaxElapsedTime: 20 * time.Second}))),
		"http gzip": must(otlploghttp.New(ctx, otlploghttp.WithEndpoint(address), otlploghttp.WithInsecure(), otlploghttp.WithCompression(otlploghttp.GzipCompression))),
		"grpc": must(otlploggrpc.New(ctx, otlploggrpc.WithEndpoint(address), otlploggrpc.WithInsecure(),
			otlploggrpc.WithRetry(otlploggrpc.RetryConfig{Enabled: true, InitialInterval: again, MaxInterval: again, MaxElapsedTime: 20 * time.Second}))),
		"grpc gzip": must(otlploggrpc.New(ctx, otlploggrpc.WithEndpoint(address), otlploggrpc.WithInsecure(), otlploggrpc.WithCompressor("gzip"))),
	}
}

func TestARealExporterIsUnderstoodOverHTTPAndGRPC(t *testing.T) {
	sink, address := serve(t, otlp.Options{})
	ctx := context.Background()
	for name, exporter := range exporters(t, address) {
		before := sink.Count()
		provider := sdk.NewLoggerProvider(sdk.WithProcessor(sdk.NewBatchProcessor(exporter)),
			sdk.WithResource(resource.NewSchemaless(attribute.String("host.name", "ap-1"), attribute.String("service.name", "照会"), attribute.Int("n", 3))))
		at := time.Date(2026, 11, 24, 12, 0, 0, 500, time.UTC)
		const n = 300
		for i := range n {
			var r log.Record
			r.SetTimestamp(at)
			r.SetSeverity(log.SeverityWarn)
			r.SetSeverityText("注意")
			r.SetEventName("照会実行")
			r.SetBody(log.StringValue(fmt.Sprintf("第%d件", i)))
			r.AddAttributes(log.String("user.name", "yamada"), log.String("client.address", "192.0.2.9"), log.Int("n", 7), log.Bool("ok", true), log.Float64("f", 1.5), log.Bytes("b", []byte{255}),
				log.Slice("s", log.StringValue("x"), log.IntValue(2)), log.Map("m", log.String("k", "v"), log.Map("deep", log.Int("er", 1))))
			provider.Logger("scope-1").Emit(ctx, r)
		}
		if err := provider.ForceFlush(ctx); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		events := sink.Events()[before:]
		if len(events) != n {
			t.Fatalf("%s: %d events, want %d", name, len(events), n)
		}
		for i, e := range events {
			want := map[string]string{"host.name": "ap-1", "service.name": "照会", "resource.n": "3", "n": "7", "ok": "true", "f": "1.5", "b": "/w==", "s": `["x","2"]`, "m.k": "v", "m.deep.er": "1",
				"severity": "注意", "scope": "scope-1", "user.name": "yamada", "client.address": "192.0.2.9", event.Peer: "127.0.0.1"}
			if fmt.Sprint(e.Fields) != fmt.Sprint(want) {
				t.Fatalf("%s:\n%v\n%v", name, e.Fields, want)
			}
			if e.Text != fmt.Sprintf("第%d件", i) || !e.At.Equal(at) || e.Event != "照会実行" || e.Device != "ap-1" || e.Account != "yamada" || e.Source != "192.0.2.9" || e.Level != 5 || e.Format != "otlp" {
				t.Fatalf("%s: %+v", name, e)
			}
		}
	}
}

func TestARealExporterComesAgainWhenTheStoreIsFull(t *testing.T) {
	sink, address := serve(t, otlp.Options{})
	for name, exporter := range exporters(t, address) {
		if strings.Contains(name, "gzip") {
			continue
		}
		before := sink.Count()
		sink.Full(1)
		provider := sdk.NewLoggerProvider(sdk.WithProcessor(sdk.NewSimpleProcessor(exporter)))
		var r log.Record
		r.SetBody(log.StringValue("x"))
		provider.Logger("").Emit(context.Background(), r)
		if got := sink.Count() - before; got != 1 {
			t.Errorf("%s: taken %d times", name, got)
		}
	}
}

func request(records ...*pb.LogRecord) *logspb.ExportLogsServiceRequest {
	return &logspb.ExportLogsServiceRequest{ResourceLogs: []*pb.ResourceLogs{{ScopeLogs: []*pb.ScopeLogs{{LogRecords: records}}}}}
}

func text(s string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: s}}
}

func marshal(t *testing.T, m proto.Message) []byte {
	out, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func post(t *testing.T, address string, body []byte, header ...string) (int, []byte, http.Header) {
	t.Helper()
	r, _ := http.NewRequest("POST", "http://"+address+otlp.Path, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/x-protobuf")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, out, resp.Header
}

func TestJSONAndProtobufSayTheSame(t *testing.T) {
	sink, address := serve(t, otlp.Options{})
	now := uint64(time.Now().UnixNano())
	message := request(
		&pb.LogRecord{TimeUnixNano: now, SeverityNumber: 17, Body: text("a"), TraceId: bytes.Repeat([]byte{1}, 16), SpanId: bytes.Repeat([]byte{2}, 8),
			Attributes: []*common.KeyValue{{Key: "i", Value: &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: -5}}}, {Key: "d", Value: &common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: 0.25}}}, {Key: "e"}}},
		&pb.LogRecord{ObservedTimeUnixNano: now, EventName: "named", Body: &common.AnyValue{Value: &common.AnyValue_KvlistValue{KvlistValue: &common.KeyValueList{Values: []*common.KeyValue{{Key: "EventID", Value: text("4624")}}}}}},
		&pb.LogRecord{TimeUnixNano: 1, Body: &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: &common.ArrayValue{Values: []*common.AnyValue{text("x")}}}}},
		&pb.LogRecord{})
	asJSON, err := protojson.MarshalOptions{UseEnumNumbers: true}.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	// protojson writes IDs in base64, OTLP in hexadecimal
	asJSON = bytes.Replace(asJSON, []byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 16))), []byte(strings.Repeat("01", 16)), 1)
	asJSON = bytes.Replace(asJSON, []byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{2}, 8))), []byte(strings.Repeat("02", 8)), 1)
	if status, out, _ := post(t, address, marshal(t, message)); status != 200 || len(out) != 0 {
		t.Fatal(status, out)
	}
	if status, out, h := post(t, address, asJSON, "Content-Type", "application/json; charset=utf-8"); status != 200 || string(out) != "{}" || h.Get("Content-Type") != "application/json" {
		t.Fatal(status, string(out))
	}
	e := sink.Events()
	if len(e) != 8 {
		t.Fatal(len(e))
	}
	for i := range 4 {
		a, b := e[i], e[i+4]
		if i == 3 {
			a.At, b.At = time.Time{}, time.Time{} // arrival
		}
		if fmt.Sprintf("%+v", a) != fmt.Sprintf("%+v", b) {
			t.Errorf("%+v\n%+v", a, b)
		}
	}
	if e[0].Level != 4 || e[0].Fields["i"] != "-5" || e[0].Fields["d"] != "0.25" || e[0].Fields["trace_id"] != strings.Repeat("01", 16) || e[0].Clock != event.ClockSource {
		t.Errorf("%+v", e[0])
	}
	if e[1].Fields["body.EventID"] != "4624" || e[1].Event != "named" || e[1].Clock != event.ClockAssumed {
		t.Errorf("%+v", e[1])
	}
	if e[2].Clock != event.ClockDoubt || e[2].Text != `["x"]` || e[3].Clock != event.ClockArrival || e[3].Device != "127.0.0.1" {
		t.Errorf("%+v %+v", e[2], e[3])
	}
}

func deep(n int) *common.AnyValue {
	v := text("bottom")
	for range n {
		v = &common.AnyValue{Value: &common.AnyValue_KvlistValue{KvlistValue: &common.KeyValueList{Values: []*common.KeyValue{{Key: "k", Value: v}}}}}
	}
	return v
}

func TestBadRecordsHarmNoOthers(t *testing.T) {
	sink, address := serve(t, otlp.Options{})
	many := &pb.LogRecord{}
	for i := range 5000 {
		many.Attributes = append(many.Attributes, &common.KeyValue{Key: fmt.Sprint(i), Value: text("v")})
	}
	bad := request(&pb.LogRecord{Body: text(strings.Repeat("x", 2<<20))}, &pb.LogRecord{Body: text(strings.Repeat("y", 300_000))}, many, &pb.LogRecord{Body: deep(2000)},
		&pb.LogRecord{Attributes: []*common.KeyValue{{Key: strings.Repeat("n", 1000), Value: text("v")}, {Key: "", Value: text("w")}}}, &pb.LogRecord{Body: text("good")})
	status, out, _ := post(t, address, marshal(t, bad))
	var answer logspb.ExportLogsServiceResponse
	if err := proto.Unmarshal(out, &answer); err != nil || status != 200 || answer.PartialSuccess.GetRejectedLogRecords() != 1 || answer.PartialSuccess.GetErrorMessage() == "" {
		t.Fatal(status, &answer, err)
	}
	e := sink.Events()
	if len(e) != 5 || e[0].Fields[event.Truncated] != "text" || !strings.Contains(e[1].Fields["rest"], `"4999":"v"`) || e[4].Text != "good" {
		t.Fatalf("%d", len(e))
	}
	sjis := marshal(t, request(&pb.LogRecord{Body: text("AAAAAA")}))
	sjis = bytes.Replace(sjis, []byte("AAAAAA"), []byte("\x8E\x91\x97\xBF\x82\xF0"), 1)
	if status, _, _ := post(t, address, sjis); status != 200 || sink.Events()[5].Text != "資料を" {
		t.Error(status, sink.Events()[5:])
	}
	if status, out, _ := post(t, address, []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":1}},{"body":{"stringValue":"ok"}},7]}]}]}`), "Content-Type", "application/json"); status != 200 || !strings.Contains(string(out), `"rejectedLogRecords":"2"`) {
		t.Error(status, string(out))
	}
}

func TestRequestsThatCannotBeTakenAreRefused(t *testing.T) {
	sink, address := serve(t, otlp.Options{MaxBody: 1 << 20, Who: func(r *http.Request) (event.Origin, bool) {
		return event.Origin{Door: "otlp", Address: "192.0.2.1"}, r.Header.Get("Authorization") != "bad"
	}})
	good := marshal(t, request(&pb.LogRecord{Body: text("x")}))
	var gz, zs bytes.Buffer
	w := gzip.NewWriter(&gz)
	w.Write(make([]byte, 50<<20))
	w.Close()
	z, _ := zstd.NewWriter(&zs)
	z.Write(make([]byte, 50<<20))
	z.Close()
	shared := request(make([]*pb.LogRecord, 60_000)...)
	for i := range shared.ResourceLogs[0].ScopeLogs[0].LogRecords {
		shared.ResourceLogs[0].ScopeLogs[0].LogRecords[i] = &pb.LogRecord{}
	}
	shared.ResourceLogs[0].ScopeLogs[0].Scope = &common.InstrumentationScope{Name: strings.Repeat("s", 100_000)}
	cases := []struct {
		name   string
		body   []byte
		header []string
		want   int
	}{
		{"garbage", []byte("\xff\xff\xff"), nil, 400},
		{"a lying length", []byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f}, nil, 400},
		{"broken JSON", []byte(`{"resourceLogs":[`), []string{"Content-Type", "application/json"}, 400},
		{"JSON of another shape", []byte(`{"resourceLogs":{"a":1}}`), []string{"Content-Type", "application/json"}, 400},
		{"deep JSON", []byte(strings.Repeat(`{"resourceLogs":[`, 20_000)), []string{"Content-Type", "application/json"}, 400},
		{"another type", good, []string{"Content-Type", "text/plain"}, 415},
		{"another compression", good, []string{"Content-Encoding", "br"}, 415},
		{"not gzip", good, []string{"Content-Encoding", "gzip"}, 400},
		{"a gzip bomb", gz.Bytes(), []string{"Content-Encoding", "gzip"}, 413},
		{"a zstd bomb", zs.Bytes(), []string{"Content-Encoding", "zstd"}, 413},
		{"a large body", make([]byte, 2<<20), nil, 413},
		{"a million empty records", bytes.Repeat([]byte{0x0a, 0x04, 0x12, 0x02, 0x12, 0x00}, 150_000), nil, 413},
		{"a large name that many records share", marshal(t, shared), nil, 413},
		{"nobody we know", good, []string{"Authorization", "bad"}, 401},
	}
	var before, after runtime.MemStats
	for _, c := range cases {
		runtime.GC()
		runtime.ReadMemStats(&before)
		status, out, _ := post(t, address, c.body, c.header...)
		runtime.ReadMemStats(&after)
		if status != c.want || len(out) == 0 {
			t.Errorf("%s: %d, want %d", c.name, status, c.want)
		}
		if got := int64(after.TotalAlloc-before.TotalAlloc) >> 20; got > 200 {
			t.Errorf("%s: %d MiB were allocated", c.name, got)
		}
	}
	sink.Full(1)
	if status, _, h := post(t, address, good); status != 503 || h.Get("Retry-After") == "" {
		t.Error(status)
	}
	sink.Refuse(func(event.Event) error { return io.ErrClosedPipe })
	if status, _, _ := post(t, address, good); status != 422 {
		t.Error(status)
	}
	sink.Refuse(nil)
	for range 50 { // no memory is held by what was refused
		if status, _, _ := post(t, address, good); status != 200 {
			t.Fatal(status)
		}
	}
	if sink.Count() != 50 {
		t.Error(sink.Count())
	}
}

// call is a call of gRPC by hand, with the body as it is.
func call(t *testing.T, address string, body []byte, header ...string) (status int, trailer http.Header) {
	t.Helper()
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &p}
	defer transport.CloseIdleConnections()
	r, _ := http.NewRequest("POST", "http://"+address+otlp.GRPCPath, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/grpc")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	io.ReadAll(resp.Body)
	status, err = strconv.Atoi(resp.Trailer.Get("Grpc-Status"))
	if err != nil {
		t.Fatalf("%v %v", resp.Header, resp.Trailer)
	}
	return status, resp.Trailer
}

func framed(kind byte, length int, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(length)), message...)
}

func TestFramesOfGRPCThatLieAreRefused(t *testing.T) {
	sink, address := serve(t, otlp.Options{MaxBody: 1 << 20})
	good := marshal(t, request(&pb.LogRecord{Body: text("x")}))
	var zs bytes.Buffer
	z, _ := zstd.NewWriter(&zs)
	z.Write(good)
	z.Close()
	for _, c := range []struct {
		name   string
		body   []byte
		header []string
		want   int
	}{
		{"good", framed(0, len(good), good), nil, 0},
		{"zstd", framed(1, zs.Len(), zs.Bytes()), []string{"Grpc-Encoding", "zstd"}, 0},
		{"nothing in it", framed(0, 0, nil), nil, 0},
		{"no frame", nil, nil, 3},
		{"half a head", []byte{0, 0}, nil, 3},
		{"a length of 4 GiB", framed(0, 1<<32-1, good), nil, 3},
		{"a length that is too long", framed(0, len(good)+10, good), nil, 3},
		{"packed, but how", framed(1, len(good), good), nil, 3},
		{"packed in an unknown way", framed(1, len(good), good), []string{"Grpc-Encoding", "br"}, 12},
		{"an unknown flag", framed(9, len(good), good), nil, 3},
		{"garbage", framed(0, 3, []byte{255, 255, 255}), nil, 3},
	} {
		if status, _ := call(t, address, c.body, c.header...); status != c.want {
			t.Errorf("%s: %d, want %d", c.name, status, c.want)
		}
	}
	if sink.Count() != 2 {
		t.Error(sink.Count())
	}
	sink.Full(1)
	if status, trailer := call(t, address, framed(0, len(good), good)); status != 8 || trailer.Get("Grpc-Status-Details-Bin") == "" {
		t.Errorf("%d %v", status, trailer)
	}
	resp, err := http.Post("http://"+address+otlp.GRPCPath, "application/grpc", bytes.NewReader(good)) // HTTP/1.1
	if err != nil || resp.StatusCode != 415 {
		t.Error(resp, err)
	}
}

func TestABodyThatNeverEndsIsGivenUp(t *testing.T) {
	sink, address := serve(t, otlp.Options{Patience: 200 * time.Millisecond})
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 1000\r\n\r\nx")
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if answer, _ := io.ReadAll(c); !bytes.Contains(answer, []byte(" 400 ")) {
		t.Errorf("%q", answer)
	}
	if sink.Count() != 0 {
		t.Error("taken")
	}
}
