package trails

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/blob"
	"kakusho/server/events"
	"kakusho/trail"
)

// archive is the flags that say where packs are that are not in the trail's folder.
type archive struct {
	folder string
	s3     events.S3
}

func (p *program) archive(c *cobra.Command) *archive {
	a := &archive{}
	f := c.Flags()
	text := func(to *string, name, ja, en string) {
		f.StringVar(to, name, "", bilingual.Say(ja, en).In(p.lang))
	}
	text(&a.folder, "archive", "移した束のあるフォルダ。none は確認しない（既定 DATA/archive）", "folder with the packs that were moved; none: they are not checked (default DATA/archive)")
	text(&a.s3.Endpoint, "s3-endpoint", "移した束が S3 互換の保管先にあるときの host:port（TLS なしは http://host:port）", "S3 store with the packs that were moved: host:port (http://host:port without TLS)")
	text(&a.s3.Bucket, "s3-bucket", "そのバケット", "its bucket")
	text(&a.s3.Region, "s3-region", "そのリージョン", "its region")
	text(&a.s3.KeyFile, "s3-key-file", "アクセスキーと秘密鍵を一行ずつ書いたファイル", "file with the access key and the secret, a line each")
	return a
}

// open opens the archive of the trail that is looked at; nil: there is none. What is
// not there is not made.
func (a archive) open(ctx context.Context, of *auditor) (trail.Archive, func() error, error) {
	folder := a.folder
	if folder == "" {
		folder = filepath.Join(of.data, "archive")
	}
	done := func() error { return nil }
	if a.s3.Bucket == "" && (folder == "none" || !exists(folder)) {
		if a.folder != "" && folder != "none" {
			return nil, done, fmt.Errorf("open archive: there is no %s", folder)
		}
		return nil, done, nil
	}
	store, err := events.OpenStore(ctx, events.Config{Data: of.data, Archive: folder, S3: a.s3})
	if err != nil {
		return nil, done, fmt.Errorf("open archive: %w", err)
	}
	if c, ok := store.(io.Closer); ok {
		done = c.Close
	}
	return blob.Under(store, "events/"+filepath.Base(of.folder())), done, nil
}

// printGone says which packs are not here, and why that is no loss.
func (p *program) printGone(r trail.Report) {
	checked, away := 0, 0
	for i, n := 0, len(r.Gone); i < n; {
		g := r.Gone[i]
		if i++; g.By < 0 {
			if away++; g.Checked {
				checked++
			}
			continue
		}
		for ; i < n && r.Gone[i].By == g.By && r.Gone[i].FirstSegment == g.LastSegment+1; i++ {
			g.LastSegment, g.LastSeq = r.Gone[i].LastSegment, max(g.LastSeq, r.Gone[i].LastSeq)
		}
		p.say(p.stdout, "廃棄済 第%d号から第%d号まで（区分%dの記録による：%s）", "retired: entries %d to %d, by segment %d: %s", g.FirstSeq, g.LastSeq, g.By, g.Why)
	}
	if away > 0 {
		p.say(p.stdout, "保管先にある束 %d個、うち内容を確認したもの %d個", "%d packs are in the archive; %d of them were fetched and checked", away, checked)
	}
}
